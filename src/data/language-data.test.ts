import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { trainingBatch, sequentialBatches } from "./batches.ts";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { charactersOf, characterTokenizer } from "./character-tokenizer.ts";
import { DataError } from "./data-error.ts";
import type { TextLevel } from "./dataset.ts";
import { languageData, openTokenFiles, openTokenizer, textParts } from "./language-data.ts";
import { partOf, windowOf } from "./symbols.ts";
import { tokeniseFile } from "./tokenise-file.ts";
import { wordTokenizer } from "./word-tokenizer.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const folder = mkdtempSync(join(tmpdir(), "logrung-language-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

describe("textParts", () => {
  it("cuts between characters", () => {
    const { training, validation } = textParts("t", bytesOf("aé€😀"), 0.3);
    expect([training, validation].map((part) => new TextDecoder().decode(part))).toEqual(["aé€", "😀"]);
  });
});

describe("languageData", () => {
  const parts = {
    name: "t",
    training: bytesOf("a b\nb c\n"),
    validation: bytesOf("c a\n"),
    test: bytesOf("a\n"),
  };

  it.each<[TextLevel, number, number[]]>([
    ["bytes", 256, [99, 32, 97, 10]],
    ["characters", 5, [4, 1, 2, 0]],
    ["words", 4, [3, 0, 2]],
  ])("cuts into %s by the training text's vocabulary, which comes back from its files", async (...row) => {
    const [level, vocabulary, validation] = row;
    const data = await languageData(parts, { level });
    expect([data.tokenizer.name, data.tokenizer.vocabulary]).toEqual([level, vocabulary]);
    expect([...windowOf(data.validation, 0, data.validation.length)]).toEqual(validation);
    const again = openTokenizer(level, data.tokenizer.files);
    expect([...again.encode("c a\n")]).toEqual(validation);
    expect((await languageData({ ...parts, test: null }, { level })).sha256).not.toBe(data.sha256);
  });

  it("refuses parts of different texts, and levels without the vocabulary they want", async () => {
    const swapped = { ...parts, validation: bytesOf("c d\n") };
    await expect(languageData(swapped, { level: "words" })).rejects.toThrow(
      /"t": validation text: word "d" in line 1/,
    );
    await expect(languageData(swapped, { level: "characters" })).rejects.toThrow(DataError);
    await expect(languageData(parts, { level: "gpt2" })).rejects.toThrow(/logrung data get gpt2-bpe/);
    await expect(languageData(parts, { level: "wordpiece" })).rejects.toThrow(
      /logrung data get bert-uncased/,
    );
    await expect(languageData(parts, { level: "words", tokenizer: byteTokenizer })).rejects.toThrow(
      /level words, but a tokeniser of bytes/,
    );
  });
});

describe("token files", () => {
  const text = "né €uro 😀 words\n".repeat(40);

  it("hold the same symbols however the text was read, and give the same batches as memory", async () => {
    writeFileSync(path("text.txt"), text);
    const tokenizer = characterTokenizer(charactersOf(text));
    const symbols = tokenizer.encode(text);
    for (const bytes of [1, 5, 1 << 20]) {
      const length = await tokeniseFile(path("text.txt"), path("train.bin"), tokenizer, { bytes });
      expect(length).toBe(symbols.length);
      const data = await openTokenFiles({ training: path("train.bin"), validation: path("train.bin") }, tokenizer);
      const draw = { seed: 1, step: 2, rows: 3, context: 8 };
      expect(trainingBatch(data.training, draw)).toEqual(trainingBatch(symbols, draw));
      const walk = { rows: 2, context: 8, limit: 2 };
      expect([...sequentialBatches(data.validation, walk)]).toEqual([...sequentialBatches(symbols, walk)]);
      expect([...windowOf(partOf(data.training, 5, 20), 1, 3)]).toEqual([...symbols.subarray(6, 8)]);
      data.close();
    }
  }); // prettier-ignore

  it("know what they hold", async () => {
    const words = wordTokenizer(["<eos>", "a"]);
    writeFileSync(path("words.txt"), "a\na a\n");
    await tokeniseFile(path("words.txt"), path("a.bin"), words, { bytes: 1 });
    writeFileSync(path("words.txt"), "a a\na\n");
    await tokeniseFile(path("words.txt"), path("b.bin"), words);
    const open = (name: string) =>
      openTokenFiles({ training: path(name), validation: path(name), test: path(name) }, words);
    const [a, b] = [await open("a.bin"), await open("b.bin")];
    expect([...windowOf(a.training, 0, a.training.length)]).toEqual([1, 0, 1, 1, 0]);
    expect(a.sha256).not.toBe(b.sha256);
    a.close();
    b.close();
    await expect(
      openTokenFiles({ training: path("a.bin"), validation: path("none") }, words),
    ).rejects.toThrow(/ENOENT/);
  });

  it("never take the place of the text, nor stand where they are not whole", async () => {
    writeFileSync(path("own.txt"), "a text");
    symlinkSync(path("own.txt"), path("link.txt"));
    for (const output of ["own.txt", "link.txt"])
      await expect(tokeniseFile(path("own.txt"), path(output), byteTokenizer)).rejects.toThrow(/is the text itself/);
    expect(readFileSync(path("own.txt"), "utf8")).toBe("a text");
    writeFileSync(path("half.txt"), Buffer.from([0x61, 0x61, 0xff]));
    writeFileSync(path("half.bin"), "what was there");
    await expect(tokeniseFile(path("half.txt"), path("half.bin"), byteTokenizer, { bytes: 1 })).rejects.toThrow(DataError);
    expect(readFileSync(path("half.bin"), "utf8")).toBe("what was there");
    expect(existsSync(path("half.bin.part"))).toBe(false);
  }); // prettier-ignore

  it("name the byte of a text that is none, across pieces", async () => {
    for (const [tail, at] of [[[0xe2, 0x82], 4], [[0x61, 0xff, 0x61], 5]] as const) {
      writeFileSync(path("bad.txt"), Buffer.from([0x61, 0x61, 0x61, 0x61, ...tail]));
      for (const bytes of [1, 2, 5, 100])
        await expect(tokeniseFile(path("bad.txt"), path("c.bin"), byteTokenizer, { bytes })).rejects.toThrow(
          `bad.txt": not UTF-8: byte ${at} is`,
        );
    }
  }); // prettier-ignore
});
