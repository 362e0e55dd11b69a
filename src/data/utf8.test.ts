import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstInvalidUtf8 } from "./utf8.ts";

function decodes(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    // Only a fatal decoder says whether bytes are text by throwing.
    return false;
  }
}

describe("firstInvalidUtf8", () => {
  it.each([
    ["text", [0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80], -1],
    ["a lone continuation", [0x61, 0x80], 1],
    ["Latin-1", [0x63, 0x61, 0x66, 0xe9, 0x20], 4],
    ["an overlong slash", [0xc0, 0xaf], 0],
    ["an overlong three-byte form", [0xe0, 0x9f, 0xbf], 1],
    ["a surrogate", [0xed, 0xa0, 0x80], 1],
    ["past U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 1],
    ["a cut character", [0x61, 0xe2, 0x82], 1],
    ["a cut lead byte", [0x61, 0xf0], 1],
    ["a broken third byte", [0xe2, 0x82, 0x41], 2],
  ])("%s", (_, bytes, at) => expect(firstInvalidUtf8(Uint8Array.from(bytes))).toBe(at));

  it("agrees with the engine's decoder on whether bytes are text", () => {
    const edges = [
      0, 0x41, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
    ];
    const bytes = fc.array(fc.constantFrom(...edges), { maxLength: 8 }).map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(bytes, (input) => {
        expect(firstInvalidUtf8(input) === -1).toBe(decodes(input));
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(firstInvalidUtf8(new TextEncoder().encode(text))).toBe(-1);
      }),
    );
  });
});
