import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { type Merge, mergePairs, pairKey } from "./byte-pair-merge.ts";
import { charactersOf, characterTokenizer, openCharacters } from "./character-tokenizer.ts";
import { gpt2Tokenizer, openGpt2 } from "./gpt2-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { TokenizerError } from "./tokenizer.ts";
import { openWords, wordsOf, wordTokenizer } from "./word-tokenizer.ts";

/** A vocabulary of GPT-2's kind: the 256 bytes, then the merges given, then the separator. */
function smallGpt2(merges: readonly string[]): { encoder: string; merges: string } {
  const encoder: Record<string, number> = {};
  let spare = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    encoder[String.fromCharCode(printable ? byte : spare++)] = byte;
  }
  for (const pair of merges) encoder[pair.replace(" ", "")] = Object.keys(encoder).length;
  encoder["<|endoftext|>"] = Object.keys(encoder).length;
  return { encoder: JSON.stringify(encoder), merges: `#version: 0.2\n${merges.join("\n")}\n` };
}

const small = smallGpt2(["Ġ t", "h e", "Ġt he", "l l", "he ll", "hell o"]);
const gpt2 = gpt2Tokenizer(small.encoder, small.merges);

describe("characterTokenizer", () => {
  const tokenizer = characterTokenizer(charactersOf("hello wörld 😀"));

  it("numbers code points in their order", () => {
    expect(charactersOf("cab😀a")).toEqual(["a", "b", "c", "😀"]);
    expect(tokenizer.decode(tokenizer.encode("old 😀"))).toBe("old 😀");
    expect(tokenizer.encode("😀")).toHaveLength(1);
    expect(openCharacters(tokenizer.files).encode("hello")).toEqual(tokenizer.encode("hello"));
  });

  it("refuses what it was not trained on, and vocabularies that are none", () => {
    expect(() => tokenizer.encode("hex")).toThrow(/character "x" \(number 2 of the text\)/);
    expect(() => tokenizer.decode([99])).toThrow(RangeError);
    for (const bad of [[], ["ab"], ["a", "a"], [""]])
      expect(() => characterTokenizer(bad)).toThrow(TokenizerError);
    for (const file of ["", "{", "{}", "null"])
      expect(() => openCharacters({ "characters.json": file })).toThrow(TokenizerError);
  });
});

describe("wordTokenizer", () => {
  const text = " \n = A b = \n\n b b <unk> \n";
  const words = wordsOf(text);

  it("numbers words by first appearance, with a symbol at each end of line", () => {
    expect(words).toEqual(["<eos>", "=", "A", "b", "<unk>"]);
    const tokenizer = wordTokenizer(words);
    const symbols = tokenizer.encode(text);
    expect([...symbols]).toEqual([0, 1, 2, 3, 1, 0, 0, 3, 3, 4, 0]);
    expect(tokenizer.decode(symbols)).toBe("\n= A b =\n\nb b <unk>\n");
    const stream = tokenizer.stream();
    expect([stream.push([1]), stream.push([2, 0]), stream.push([3]), stream.end()]).toEqual([
      "=",
      " A\n",
      "b",
      "",
    ]);
  });

  it("names the word and the line that another vocabulary has, but takes any prompt", () => {
    expect(() => wordTokenizer(words).encode("b\nb c")).toThrow(/word "c" in line 2 .*vocabulary of 5 words/);
    expect([...openWords(wordTokenizer(words).files).encode("b c")]).toEqual([3, 4, 0]);
    expect(() => wordTokenizer(["a"])).toThrow(/lacks "<eos>"/);
    expect(() => wordTokenizer(["<eos>", "a", "a"])).toThrow(/twice/);
  });
});

describe("mergePairs", () => {
  it("merges by rank, the leftmost first", () => {
    const merges = new Map<number, Merge>([
      [pairKey(0, 0), { rank: 1, symbol: 2 }],
      [pairKey(1, 0), { rank: 0, symbol: 3 }],
      [pairKey(2, 2), { rank: 2, symbol: 4 }],
    ]);
    expect(mergePairs([0, 0, 0], merges)).toEqual([2, 0]);
    expect(mergePairs([0, 1, 0, 0, 0], merges)).toEqual([0, 3, 2]);
    expect(mergePairs([0, 0, 0, 0, 0], merges)).toEqual([4, 0]);
    expect(mergePairs([], merges)).toEqual([]);
  });

  it("agrees with looking through all pairs again after each merge", () => {
    const symbol = fc.nat(3);
    const rules = fc.uniqueArray(fc.tuple(symbol, symbol), {
      selector: ([a, b]) => a * 4 + b,
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(symbol, { maxLength: 30 }), rules, (start, pairs) => {
        const merges = new Map(
          pairs.map(([a, b], rank) => [pairKey(a, b), { rank, symbol: 4 + rank }] as const),
        );
        expect(mergePairs([...start], merges)).toEqual(slowly([...start], merges));
      }),
    );
  });
});

function slowly(symbols: number[], merges: ReadonlyMap<number, Merge>): number[] {
  for (;;) {
    let best: { at: number; merge: Merge } | undefined;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const merge = merges.get(pairKey(symbols[at], symbols[at + 1]));
      if (merge && (best === undefined || merge.rank < best.merge.rank)) best = { at, merge };
    }
    if (best === undefined) return symbols;
    symbols.splice(best.at, 2, best.merge.symbol);
  }
}

describe("gpt2Tokenizer", () => {
  it("merges within words and gives every byte back", () => {
    const [the, hello] = [258, 261];
    expect([...gpt2.encode(" the hello")]).toEqual([the, 0x20, hello]);
    expect(gpt2.decode(gpt2.encode("\0\t\n é 😀  \u00a0x\u0085"))).toBe("\0\t\n é 😀  \u00a0x\u0085");
    const bytes = Array.from({ length: 256 }, (_, byte) => byte);
    const latin = String.fromCharCode(...bytes);
    expect(gpt2.decode(gpt2.encode(latin))).toBe(latin);
    expect(gpt2.decode([262])).toBe("<|endoftext|>");
    expect(() => gpt2.decode([263])).toThrow(RangeError);
    expect(openGpt2(gpt2.files).vocabulary).toBe(263);
  });

  it("streams characters whole", () => {
    const stream = gpt2.stream();
    const symbols = gpt2.encode("a€b");
    expect(Array.from(symbols, (symbol) => stream.push([symbol]))).toEqual(["a", "", "", "€", "b"]);
  });

  it.each([
    ["no JSON", "{", "#version: 0.2\n", /encoder.json is no JSON/],
    ["no object", "[1]", "", /no object of symbols/],
    ["a number twice", '{"a":0,"b":0}', "", /"a" has number 0; wants 0 to 1, each once/],
    ["a number that is none", '{"a":0,"b":"x"}', "", /"b" has number x/],
    ["no symbol for a byte", '{"a":0}', "", /no symbol for byte 0/],
    [
      "a pair of unknown symbols",
      small.encoder,
      "#version: 0.2\nh e\nq u\n",
      /vocab.bpe line 3: "q u" is no pair/,
    ],
    ["a cut line", small.encoder, "#version: 0.2\nh e\nĠ", /line 3: "Ġ" is no pair/],
  ])("refuses a vocabulary with %s", (_, encoder, merges, message) => {
    expect(() => gpt2Tokenizer(encoder, merges)).toThrow(TokenizerError);
    expect(() => gpt2Tokenizer(encoder, merges)).toThrow(message);
  });
});

describe("cut", () => {
  const alphabet = "a the\n é'😀";
  const tokenizers: [string, Tokenizer][] = [
    ["bytes", byteTokenizer],
    ["characters", characterTokenizer(charactersOf(`${alphabet}hello`))],
    ["gpt2", gpt2],
  ];

  it.each(tokenizers)("of %s: the parts' symbols are those of the whole", (_, tokenizer) => {
    const pieces = fc.array(fc.constantFrom(...alphabet, "hello", "  ", "\n\n"), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, fc.nat(), (parts, seed) => {
        const text = parts.join("");
        const at = tokenizer.cut(text.slice(0, seed % (text.length + 1)));
        const together = [...tokenizer.encode(text.slice(0, at)), ...tokenizer.encode(text.slice(at))];
        expect(together).toEqual([...tokenizer.encode(text)]);
      }),
      { numRuns: 500 },
    );
  });

  it("of words is after a line", () => {
    const tokenizer = wordTokenizer(["<eos>", "a"]);
    expect(["a\na", "a", "a\n"].map((text) => tokenizer.cut(text))).toEqual([2, 0, 2]);
  });
});

const shared = new URL("../../../shared/data/", import.meta.url);
const read = (name: string): Buffer => readFileSync(new URL(name, shared));

describe.skipIf(!existsSync(shared))(
  "published vocabularies (skipped where the data sets are absent)",
  () => {
    it("GPT-2: known symbols, and nanoGPT's counts of Tiny Shakespeare", () => {
      const tokenizer = gpt2Tokenizer(
        read("gpt2-bpe/encoder.json").toString(),
        read("gpt2-bpe/vocab.bpe").toString(),
      );
      expect(tokenizer.vocabulary).toBe(50_257);
      const known = { "Hello world": [15496, 995], " the": [262], "!": [0], "hello world": [31373, 995] };
      for (const [text, symbols] of Object.entries(known))
        expect([...tokenizer.encode(text)]).toEqual(symbols);
      expect(tokenizer.decode([50_256])).toBe("<|endoftext|>");
      const text = gunzipSync(read("tinyshakespeare/input.txt.gz")).toString();
      const at = Math.floor(text.length * 0.9);
      const parts = [text.slice(0, at), text.slice(at)].map((part) => tokenizer.encode(part));
      expect(parts.map(({ length }) => length)).toEqual([301_966, 36_059]); // nanoGPT, data/shakespeare/prepare.py
      expect(tokenizer.decode(parts[1])).toBe(text.slice(at));
    });

    it("WikiText-2: the published numbers of words", () => {
      const [train, valid, test] = ["train", "valid", "test"].map((part) =>
        gunzipSync(read(`wikitext-2/${part}.txt.gz`)).toString(),
      );
      const tokenizer = wordTokenizer(wordsOf(train));
      expect(tokenizer.vocabulary).toBe(33_278);
      expect([train, valid, test].map((text) => tokenizer.encode(text).length)).toEqual([
        2_088_628, 217_646, 245_569,
      ]);
    });
  },
);
