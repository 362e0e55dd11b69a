import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileError } from "./file-error.ts";
import { openTokenFile, TokenFileError, writeTokenFile } from "./token-file.ts";

const folder = mkdtempSync(join(tmpdir(), "logrung-tokens-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "train.bin");

describe("token files", () => {
  it("are little-endian, and windows come from anywhere in them", async () => {
    expect(await writeTokenFile(path, [[1, 0x1234], Uint16Array.of(65_535)])).toBe(3);
    const file = openTokenFile(path, 65_536);
    expect(file.length).toBe(3);
    expect(file.window(1, 3)).toEqual(Uint16Array.of(0x1234, 65_535));
    expect(file.window(1, 1)).toHaveLength(0);
    file.close();
    await expect(writeTokenFile(path, [[65_536]])).rejects.toThrow(RangeError);
  });

  it("are refused by byte: cut, empty, of another vocabulary, shrunk", async () => {
    await writeTokenFile(path, [[5, 6, 7, 300]]);
    const file = openTokenFile(path, 256);
    expect([...file.window(0, 3)]).toEqual([5, 6, 7]);
    expect(() => file.window(2, 4)).toThrow(/byte 6: symbol 300, wants 0 to 255/);
    truncateSync(path, 4);
    expect(() => file.window(1, 3)).toThrow(/ended at byte 4/);
    file.close();
    truncateSync(path, 3);
    expect(() => openTokenFile(path, 256)).toThrow(/byte 2: it ends within a 16-bit number/);
    writeFileSync(path, "");
    expect(() => openTokenFile(path, 256)).toThrow(TokenFileError);
    expect(() => openTokenFile(join(folder, "none"), 256)).toThrow(FileError);
    expect(() => openTokenFile(folder, 256)).toThrow(FileError);
  });
});
