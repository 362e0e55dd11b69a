import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteTokenizer } from "./byte-tokenizer.ts";

describe("byteTokenizer", () => {
  it("gives any text back, cut anywhere while streaming", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.array(fc.nat(9)), (text, cuts) => {
        const symbols = byteTokenizer.encode(text);
        expect(byteTokenizer.decode(symbols)).toBe(text);
        const stream = byteTokenizer.stream();
        let streamed = "";
        let at = 0;
        for (const cut of cuts) {
          streamed += stream.push(symbols.subarray(at, at + cut));
          at += cut;
        }
        expect(streamed + stream.push(symbols.subarray(at)) + stream.end()).toBe(text);
      }),
    );
  });

  it("holds a character back until it is whole, and shows what is none as U+FFFD", () => {
    const stream = byteTokenizer.stream();
    expect(stream.push([0x61, 0xe2])).toBe("a");
    expect(stream.push([0x82])).toBe("");
    expect(stream.push([0xac])).toBe("€");
    expect(stream.push([0xff, 0xc3])).toBe("\ufffd");
    expect(stream.end()).toBe("\ufffd");
    expect(byteTokenizer.decode([0x61, 0x80])).toBe("a\ufffd");
  });
});
