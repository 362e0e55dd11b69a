import { crc32, deflateRawSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { archive, tarEntry, zipOf } from "../../test/data/archives.ts";
import { readTar, TarError } from "./tar.ts";
import { readZip, ZipError } from "./zip.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function unpacked(bytes: Uint8Array, piece = 700, wanted: (path: string) => boolean = () => true) {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const found: [string, string][] = [];
  for await (const { path, bytes: content } of readTar(chunks(), "a.tar", wanted))
    found.push([path, textOf(content)]);
  return found;
}

const long = `${"folder/".repeat(20)}name`;

describe("readTar", () => {
  const whole = archive([
    tarEntry("d/", bytesOf(""), "5"),
    tarEntry("d/one", bytesOf("1".repeat(600))),
    tarEntry("x", bytesOf(`${long.length + 10} path=${long}\n`), "x"),
    tarEntry("cut", bytesOf("pax")),
    tarEntry("././@LongLink", bytesOf(`${long}2\0`), "L"),
    tarEntry("cut", bytesOf("gnu")),
    tarEntry("link", bytesOf(""), "2"),
    tarEntry("empty", bytesOf("")),
  ]);

  it("reads members from chunks of any size, long names too", async () => {
    for (const piece of [1, 511, 700, 1 << 20]) {
      expect(await unpacked(whole, piece)).toEqual([
        ["d/one", "1".repeat(600)],
        [long, "pax"],
        [`${long}2`, "gnu"],
        ["empty", ""],
      ]);
    }
    expect(await unpacked(whole, 700, (path) => path === "empty")).toEqual([["empty", ""]]);
  });

  it("refuses an archive cut anywhere, and names the byte", async () => {
    for (const length of [0, 100, 512, 1024, 1500, whole.length - 1024]) {
      const error = await unpacked(whole.subarray(0, length)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(TarError);
      expect((error as TarError).byte).toBe(length);
    }
  });

  it("refuses a damaged header", async () => {
    for (const at of [0, 130, 150, 400]) {
      const damaged = whole.slice();
      damaged[512 + at] ^= 1;
      await expect(unpacked(damaged)).rejects.toThrow(/"a.tar" .* byte 512: header checksum/);
    }
  });
});

describe("readZip", () => {
  const members = [
    { path: "a/one.txt", content: bytesOf("one ".repeat(100)), method: 8 },
    { path: "two", content: bytesOf("two"), method: 0 },
  ];
  const whole = zipOf(members, "a comment");

  it("reads stored and deflated members", () => {
    const found = readZip(whole, "a.zip", () => true).map(({ path, bytes }) => [path, textOf(bytes)]);
    expect(found).toEqual(members.map(({ path, content }) => [path, textOf(content)]));
    expect(readZip(whole, "a.zip", (path) => path === "two")).toHaveLength(1);
    expect(crc32(deflateRawSync(bytesOf("x")))).toBeTypeOf("number");
  });

  it("refuses an archive cut anywhere", () => {
    for (let length = 0; length < whole.length; length++)
      expect(() => readZip(whole.subarray(0, length), "a.zip", () => true)).toThrow(ZipError);
  });

  it("gives the right bytes or refuses, whichever byte is damaged", () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = whole.slice();
        damaged[at] ^= change;
        try {
          for (const { path, bytes } of readZip(damaged, "a.zip", () => true)) {
            const original = members.find((member) => member.path === path);
            // A damaged name is another member; the bytes of one that is known are right.
            if (original) expect(textOf(bytes)).toBe(textOf(original.content));
          }
        } catch (error) {
          if (!(error instanceof ZipError)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("says what it does not read", () => {
    const other = zipOf([{ path: "x", content: bytesOf("x"), method: 12 }]);
    expect(() => readZip(other, "a.zip", () => true)).toThrow(/packed by method 12, wants 0 or 8/);
  });
});
