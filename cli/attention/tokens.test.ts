import { expect, it } from "vitest";
import { byteTokenizer } from "../../src/data/byte-tokenizer.ts";
import { characterTokenizer } from "../../src/data/character-tokenizer.ts";
import { wordTokenizer } from "../../src/data/word-tokenizer.ts";
import { wordpieceTokenizer } from "../../src/data/wordpiece-tokenizer.ts";
import { tokenLabels } from "./tokens.ts";

it("labels show what would not be seen", () => {
  const text = new TextEncoder().encode("a \n\t\u0007é");
  expect(tokenLabels(byteTokenizer, text)).toEqual(["a", "␣", "↵", "⇥", "0x07", "0xC3", "0xA9"]);
  const characters = characterTokenizer(["e", "é", "\u202e", "\u00a0"]);
  expect(tokenLabels(characters, [1, 2, 3])).toEqual(["é", "0x202E", "0xA0"]);
});

it("labels name special symbols and cut long words", () => {
  const words = wordTokenizer(["<eos>", "short", "incomprehensibilities", "<script>"]);
  const labels = tokenLabels(
    words,
    Array.from({ length: words.vocabulary + 3 }, (_, symbol) => symbol),
  );
  expect(labels).toContain("short");
  expect(labels).toContain("incomprehensi…");
  expect(labels).toContain("<script>");
  expect(labels.slice(-3)).toEqual(["[CLS]", "[SEP]", "[MASK]"]);
});

it("special word pieces are the vocabulary's own", () => {
  const pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##able"];
  const tokenizer = wordpieceTokenizer(pieces.map((piece) => `${piece}\n`).join(""));
  expect(tokenLabels(tokenizer, [2, 5, 6, 4, 3])).toEqual(["[CLS]", "un", "able", "[MASK]", "[SEP]"]);
});
