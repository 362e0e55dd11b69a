import * as promises from "node:fs/promises";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileSystem, type OpenFile, writeFileAtomic } from "./atomic-file.ts";
import { FileError } from "./file-error.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "logrung-atomic-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: refused`), { code });
}

/** The real file system, with some operations replaced for the temporary file. */
function failing(change: Partial<OpenFile>, rename: FileSystem["rename"] = promises.rename): FileSystem {
  return {
    async open(path, flags) {
      const file = await promises.open(path, flags);
      if (flags === "r") return file;
      return {
        write: change.write ?? ((bytes, offset, length) => file.write(bytes, offset, length)),
        sync: change.sync ?? (() => file.sync()),
        close: () => file.close(),
      };
    },
    rename,
    rm: promises.rm,
  };
}

describe("writeFileAtomic", () => {
  it("writes text and parts, over an older file too, and leaves nothing else behind", async () => {
    const path = join(folder, "a.txt");
    await writeFileAtomic(path, "old");
    await writeFileAtomic(path, [Uint8Array.of(104), Uint8Array.of(105, 33)]);
    expect(await readFile(path, "utf8")).toBe("hi!");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it("goes on after a short write", async () => {
    const path = join(folder, "a.txt");
    const fileSystem: FileSystem = {
      ...failing({}),
      async open(name, flags) {
        const file = await promises.open(name, flags);
        if (flags === "r") return file;
        return {
          write: (bytes, offset, length) => file.write(bytes, offset, Math.min(length, 2)),
          sync: () => file.sync(),
          close: () => file.close(),
        };
      },
    };
    await writeFileAtomic(path, "seven..", fileSystem);
    expect(await readFile(path, "utf8")).toBe("seven..");
  });

  it.each<[string, Partial<OpenFile>, RegExp]>([
    ["ENOSPC", { write: () => Promise.reject(systemError("ENOSPC")) }, /disk is full \(ENOSPC\); free some/],
    ["ENOSPC", { write: () => Promise.resolve({ bytesWritten: 0 }) }, /disk is full/],
    ["EDQUOT", { sync: () => Promise.reject(systemError("EDQUOT")) }, /disk is full \(EDQUOT\)/],
  ])("on %s keeps the old file and removes its own", async (code, change, message) => {
    const path = join(folder, "a.txt");
    await writeFile(path, "old");
    const error = await writeFileAtomic(path, "new", failing(change)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ code, path, message: expect.stringMatching(message) });
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it("keeps the old file when the rename fails", async () => {
    const path = join(folder, "a.txt");
    await writeFile(path, "old");
    const fileSystem = failing({}, () => Promise.reject(systemError("EACCES")));
    await expect(writeFileAtomic(path, "new", fileSystem)).rejects.toThrow(
      /permission denied.*choose another folder/,
    );
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it("says what to do about a read-only file system and a missing folder", async () => {
    const fileSystem: FileSystem = { ...failing({}), open: () => Promise.reject(systemError("EROFS")) };
    await expect(writeFileAtomic(join(folder, "a"), "", fileSystem)).rejects.toThrow(
      /read-only.*choose another folder/,
    );
    await expect(writeFileAtomic(join(folder, "no", "a"), "")).rejects.toThrow(/no such file or folder/);
  });
});
