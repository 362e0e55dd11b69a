import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openTokenizer } from "./language-data.ts";
import { specialSymbols, specialSymbolsOf } from "./special-symbols.ts";
import { TokenizerError } from "./tokenizer.ts";
import { wordpieceTokenizer } from "./wordpiece-tokenizer.ts";

const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const uncased = [
  ...special,
  ..."un ##aff ##able affable runn ##ing run ##n , . ! ' # ## $ e ##e o ##o cafe ##s naive 中 国 a aa ##aa ##a i σ ##σ ##ς".split(" "),
]; // prettier-ignore
const cased = [...special, "Un", "un", "##aff", "##able", "é", "e", "Caf", "caf", "##é", "##e"];
const file = (pieces: readonly string[]): string => `${pieces.join("\n")}\n`;

const tokenizer = wordpieceTokenizer(file(uncased));
const piecesOf = (text: string): string[] => Array.from(tokenizer.encode(text), (symbol) => uncased[symbol]);

describe("word pieces", () => {
  // "unaffable" is the example of BERT's own documentation; the others are worked out from its rules by hand.
  it.each([
    ["unaffable", "un ##aff ##able"],
    ["UNAFFABLE!", "un ##aff ##able !"],
    ["running runs", "runn ##ing run ##s"],
    ["unwanted running", "[UNK] runn ##ing"],
    ["Café, naïve.", "cafe , naive ."],
    ["e\u0301\u0300 É", "e e"],
    ["eoe 'e'$e", "e ##o ##e ' e ' $ e"],
    ["un\u00ad\u200baff\0\u{fffd}able", "un ##aff ##able"],
    [" \t\r\n\u00a0\u2003e\u3000o\u2028e ", "e o e"],
    ["中国a中", "中 国 a 中"],
    ["## # ##ing", "# # # # # [UNK]"],
    ["[CLS] e [MASK]", "[UNK] [UNK] [UNK] e [UNK] [UNK] [UNK]"],
    ["İ Σ ΣΣ", "i σ σ ##ς"],
    ["a".repeat(100), ["aa", ...Array.from({ length: 49 }, () => "##aa")].join(" ")],
    ["a".repeat(101), "[UNK]"],
    ["é".repeat(100), ["e", ...Array.from({ length: 99 }, () => "##e")].join(" ")],
    ["", ""],
  ])("%j is %s", (text, expected) => {
    expect(piecesOf(text).join(" ")).toBe(expected);
  });

  it("counts a word's characters, not its UTF-16 units", () => {
    const pieces = [...special, "😀", "##😀"];
    const symbols = wordpieceTokenizer(file(pieces)).encode("😀".repeat(100));
    expect([...symbols]).toEqual([5, ...Array.from({ length: 99 }, () => 6)]);
  });

  it("reads a vocabulary with capitals as one that keeps them, and accents too", () => {
    const { encode } = wordpieceTokenizer(file(cased));
    expect(Array.from(encode("Unaffable Café unaffable"), (symbol) => cased[symbol]).join(" ")).toBe(
      "Un ##aff ##able Caf ##é un ##aff ##able",
    );
  });

  it.each([
    ['{"do_lower_case": true}', "CAFÉ", "caf ##e"],
    ['{"do_lower_case": true, "strip_accents": false}', "CAFÉ", "caf ##é"],
    ['{"do_lower_case": false, "strip_accents": true}', "Café", "Caf ##e"],
    [
      '{"strip_accents": null, "unk_token": {"content": "[UNK]"}, "model_max_length": 512}',
      "Café",
      "Caf ##é",
    ],
  ])("does what %s says", (config, text, expected) => {
    const { encode } = wordpieceTokenizer(file(cased), config);
    expect(Array.from(encode(text), (symbol) => cased[symbol]).join(" ")).toBe(expected);
  });

  it("leaves Chinese characters in words where it is told to", () => {
    const { encode } = wordpieceTokenizer(file([...uncased, "##国"]), '{"tokenize_chinese_chars": false}');
    expect([...encode("中国")]).toEqual([uncased.indexOf("中"), uncased.length]);
  });

  it("has the vocabulary's own special symbols, and no more", () => {
    expect(tokenizer.vocabulary).toBe(uncased.length);
    const { length } = uncased;
    expect(specialSymbolsOf(tokenizer)).toEqual({
      text: length,
      start: 2,
      end: 3,
      mask: 4,
      padding: 0,
      vocabulary: length,
    });
    expect(specialSymbolsOf({ vocabulary: 9 })).toEqual(specialSymbols(9));
    expect(specialSymbols(9)).toEqual({ text: 9, start: 9, end: 10, mask: 11, padding: 10, vocabulary: 12 });
  });

  it("writes pieces of a word together, whole or as they come", () => {
    const symbols = tokenizer.encode("unaffable cafes, running");
    expect(tokenizer.decode(symbols)).toBe("unaffable cafes , running");
    const stream = tokenizer.stream();
    expect(Array.from(symbols, (symbol) => stream.push([symbol])).join("|")).toBe(
      "un|aff|able| cafe|s| ,| runn|ing",
    );
    expect(stream.end()).toBe("");
    expect(tokenizer.decode(tokenizer.encode("##"))).toBe("# #");
    expect(() => tokenizer.decode([uncased.length])).toThrow(RangeError);
  });

  it("may be cut where it says", () => {
    const text = fc.string({ unit: fc.constantFrom(..."unafble cs,.中é\u0301 \n\u3000\u200b😀") });
    fc.assert(
      fc.property(text, (given) => {
        const at = tokenizer.cut(given);
        expect([...tokenizer.encode(given.slice(0, at)), ...tokenizer.encode(given.slice(at))]).toEqual([
          ...tokenizer.encode(given),
        ]);
      }),
    );
    expect(tokenizer.cut("unaffable")).toBe(0);
    expect(tokenizer.cut("un affable")).toBe(3);
  });

  it("comes back from its files", () => {
    const config = '{"do_lower_case": false}';
    for (const [pieces, given] of [
      [uncased, undefined],
      [cased, undefined],
      [uncased, config],
    ] as const) {
      const one = wordpieceTokenizer(file(pieces), given);
      const again = openTokenizer("wordpiece", one.files);
      expect(again.files).toEqual(one.files);
      expect(again.encode("Unaffable Café")).toEqual(one.encode("Unaffable Café"));
    }
    expect(wordpieceTokenizer(file(cased)).files["tokenizer_config.json"]).toContain(
      '"do_lower_case": false',
    );
  });
});

describe("a vocabulary of word pieces that is none", () => {
  it.each([
    ["a missing mask", file(uncased.filter((piece) => piece !== "[MASK]")), /vocab\.txt has no "\[MASK\]" among its \d+ lines/],
    ["no unknown", file(special.filter((piece) => piece !== "[UNK]")), /has no "\[UNK\]" among its 4 lines/],
    ["a piece twice", file([...uncased, "un"]), /vocab\.txt line \d+: "un" is in line 6 already/],
    ["CR LF", uncased.join("\r\n"), /vocab\.txt line 1: ends in CR LF, wants LF alone/],
    ["one CR LF", file([...special, "un\r", "##aff"]), /vocab\.txt line 6: ends in CR LF/],
    ["an empty line", file([...special, "", "un"]), /vocab\.txt line 6: is empty, wants a piece/],
    ["a byte order mark", `\u{feff}${file(uncased)}`, /vocab\.txt line 1: begins with a byte order mark/],
    ["nothing", "", /has no "\[CLS\]" among its 0 lines/],
  ])("is refused: %s", (_, text, message) => {
    expect(() => wordpieceTokenizer(text)).toThrow(message);
    expect(() => wordpieceTokenizer(text)).toThrow(TokenizerError);
  });

  it.each([
    ["{", /tokenizer_config\.json is no JSON: /],
    ["[]", /tokenizer_config\.json is no JSON object/],
    ['{"do_lower_case": "yes"}', /"do_lower_case" is "yes", wants true or false/],
    ['{"do_basic_tokenize": false}', /"do_basic_tokenize" is false, wants true/],
    ['{"cls_token": {"content": "<s>"}}', /"cls_token" is "<s>", wants "\[CLS\]"/],
    ['{"tokenizer_class": "BertJapaneseTokenizer"}', /"tokenizer_class" is "BertJapaneseTokenizer", wants "BertTokenizer" or /],
    ['{"never_split": ["e"]}', /"never_split" is \["e"\], wants none/],
  ])("is refused with settings %s", (config, message) => {
    expect(() => wordpieceTokenizer(file(uncased), config)).toThrow(message);
  });

  it("is refused without its file", () => {
    expect(() => openTokenizer("wordpiece", {})).toThrow(/"vocab\.txt" is missing/);
  });
}); // prettier-ignore
