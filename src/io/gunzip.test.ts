import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { FileError } from "./file-error.ts";
import { digestContent } from "./file-digest.ts";
import { readMaybeGzip } from "./gunzip.ts";

const folder = mkdtempSync(join(tmpdir(), "logrung-gunzip-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "x.gz");
const content = Uint8Array.from({ length: 20_000 }, (_, i) => Math.imul(i, 2_654_435_761) >>> ((i * i) % 23));
const packed = gzipSync(content, { level: 1 });

it("takes files as they are, and gzip files by their content", async () => {
  for (const bytes of [content, packed]) {
    writeFileSync(path, bytes);
    expect(Buffer.from(await readMaybeGzip(path)).equals(content)).toBe(true);
  }
  const { bytes, sha256 } = await digestContent(path);
  writeFileSync(path, content);
  expect(await digestContent(path)).toEqual({ bytes, sha256 });
});

it("names the byte at which gzip data are cut off", async () => {
  for (const length of [2, 15, 5000, packed.length - 8, packed.length - 1]) {
    writeFileSync(path, packed.subarray(0, length));
    for (const read of [readMaybeGzip, digestContent]) {
      const error = await read(path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(FileError);
      expect((error as Error).message).toContain(`x.gz": byte ${length}: its gzip data are cut off here`);
    }
  }
});

it("names the bytes among which gzip data are damaged, never giving other content", async () => {
  const wrongSum = packed.length - 6;
  const messages = [];
  for (const at of [2, 3000, wrongSum]) {
    const damaged = Uint8Array.from(packed);
    damaged[at] ^= 0x55;
    writeFileSync(path, damaged);
    const error = (await readMaybeGzip(path).catch((e: unknown) => e)) as Error;
    expect(error).toBeInstanceOf(FileError);
    messages.push(error.message);
  }
  expect(messages[0]).toContain("bytes 0 to 1023: its gzip data are damaged (unknown compression method)");
  const start = Math.floor(wrongSum / 1024) * 1024;
  expect(messages[2]).toContain(
    `bytes ${start} to ${start + 1023}: its gzip data are damaged (incorrect data check)`,
  );
});
