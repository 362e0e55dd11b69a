/** Language models of bytes, characters, words and byte pairs, from files, sets and token files. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { gpt2Tokenizer } from "../../src/data/gpt2-tokenizer.ts";
import { writeTokenFile } from "../../src/io/token-file.ts";
import { inPlace, sentences, stateOf, textFile, tiny, workspace } from "./program.ts";

const folder = workspace();
const vocabulary = join(folder, "vocabulary");

/** GPT-2's way of writing bytes, and one pair: "th". */
function writeVocabulary(): { encoder: string; merges: string } {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let spare = 0x100;
  const characters = Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : spare++),
  );
  const encoder = JSON.stringify(Object.fromEntries([...characters, "th"].map((text, i) => [text, i])));
  const merges = "#version: 0.2\nt h\n";
  mkdirSync(vocabulary);
  writeFileSync(join(vocabulary, "vocab.json"), encoder);
  writeFileSync(join(vocabulary, "merges.txt"), merges);
  const letters = "abcdefghijklmnopqrstuvwxyz".split("");
  const pieces = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ".",
    "the",
    ...letters,
    ...letters.map((one) => `##${one}`),
  ];
  writeFileSync(join(vocabulary, "vocab.txt"), pieces.join("\n"));
  return { encoder, merges };
}

const train = (output: string, steps: number, ...more: readonly string[]): string[] => [
  "train", "text", ...tiny, "--threads=1", "--checkpoint.every=2", "--schedule=constant", "--schedule.warmup=0", `--output=${join(folder, output)}`, `--steps=${steps}`, ...more,
]; // prettier-ignore

beforeAll(async () => {
  const { encoder, merges } = writeVocabulary();
  const symbols = gpt2Tokenizer(encoder, merges).encode(sentences(8000));
  await writeTokenFile(join(folder, "train.bin"), [symbols.subarray(0, 5000)]);
  await writeTokenFile(join(folder, "val.bin"), [symbols.subarray(5000)]);
  mkdirSync(join(folder, "sets", "tinyshakespeare"), { recursive: true });
  writeFileSync(join(folder, "sets", "tinyshakespeare", "input.txt"), sentences(5000));
});

const levels = {
  characters: [`--data=${textFile()}`, "--data.level=characters"],
  words: [`--data=${textFile()}`, "--data.level=words"],
  gpt2: [`--data=${textFile()}`, "--data.level=gpt2", `--data.vocabulary=${vocabulary}`],
  wordpiece: [`--data=${textFile()}`, "--data.level=wordpiece", `--data.vocabulary=${join(vocabulary, "vocab.txt")}`],
  set: ["--data.set=tinyshakespeare", `--data-dir=${join(folder, "sets")}`, "--data.level=characters"],
  "token-file": [`--data=${join(folder, "train.bin")}`, "--data.level=gpt2", `--data.vocabulary=${vocabulary}`],
  "token-files": [
    `--data=${join(folder, "train.bin")}`, `--data.validation=${join(folder, "val.bin")}`,
    "--data.level=gpt2", `--data.vocabulary=${vocabulary}`,
  ],
} as const; // prettier-ignore

const described = {
  characters: /text {5}\S+sentences\.txt, 16 k characters, 2\d different/,
  words: /words, \d+ different/,
  gpt2: /byte pairs, 257 different/,
  wordpiece: /word pieces, 59 different/,
  set: /text {5}tinyshakespeare, 5 k characters/,
  "token-file": /train\.bin, 5 k byte pairs, 257 different/,
  "token-files": /train\.bin, .* byte pairs, 257 different/,
} as const;

describe.each(Object.entries(levels))("a run on %s", (name, data) => {
  it("trains, is scored the same, and goes on bit for bit", async () => {
    const whole = await inPlace([...train(`${name}-whole`, 4, ...data), "--json"]);
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.stderr).toMatch(described[name as keyof typeof described]);
    const { validation } = JSON.parse(whole.stdout);
    expect(validation.perplexity).toBeCloseTo(Math.exp(validation.loss), 9);
    const part = join(folder, `${name}-part`);
    expect((await inPlace(train(`${name}-part`, 2, ...data, "--sample.length=0"))).code).toBe(0);
    const on = await inPlace(["train", "--resume", part, "--steps=4"]);
    expect(on.code, on.stderr).toBe(0);
    expect(await stateOf(part)).toEqual(await stateOf(join(folder, `${name}-whole`)));
    const scored = await inPlace(["eval", join(folder, `${name}-whole`), "--json"]);
    expect(scored.code, scored.stderr).toBe(0);
    expect(JSON.parse(scored.stdout)).not.toHaveProperty("bitsPerByte");
    const text = await inPlace(["generate", join(folder, `${name}-whole`), "--prompt", "the ladder", "--length=3"]);
    expect(text.code, text.stderr).toBe(0);
    expect(text.stdout).toMatch(/^the ladder/);
  });
}); // prettier-ignore

describe("a run's tokeniser", () => {
  it("goes with the run folder: neither the text nor the vocabulary is needed to write", async () => {
    const text = join(folder, "gone.txt");
    const own = join(folder, "own-vocabulary");
    writeFileSync(text, sentences(3000));
    mkdirSync(own);
    for (const file of ["vocab.json", "merges.txt"])
      writeFileSync(join(own, file), readFileSync(join(vocabulary, file)));
    const data = [`--data=${text}`, "--data.level=gpt2", `--data.vocabulary=${own}`];
    expect((await inPlace(train("moved", 2, ...data))).code).toBe(0);
    rmSync(text);
    rmSync(own, { recursive: true });
    renameSync(join(folder, "moved"), join(folder, "elsewhere"));
    expect(readdirSync(join(folder, "elsewhere", "tokenizer")).toSorted()).toEqual(["encoder.json", "vocab.bpe"]);
    const { code, stdout, stderr } = await inPlace(["generate", join(folder, "elsewhere"), "--length=4"]);
    expect(code, stderr).toBe(0);
    expect(stdout.length).toBeGreaterThan(4);
    const other = await inPlace(["eval", join(folder, "elsewhere"), "--data", textFile(), "--json"]);
    expect(other.code, other.stderr).toBe(0);
  });

  it("is not kept where a symbol is a byte", async () => {
    expect((await inPlace(train("bytes", 1, `--data=${textFile()}`))).code).toBe(0);
    expect(existsSync(join(folder, "bytes", "tokenizer"))).toBe(false);
  });

  it("is missed where its files are gone", async () => {
    const run = join(folder, "words-whole");
    rmSync(join(run, "tokenizer"), { recursive: true });
    const { code, stderr } = await inPlace(["generate", run]);
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/"words\.txt" is missing/)]);
    expect(code).not.toBe(0);
  });
}); // prettier-ignore

describe("what does not fit together is refused", () => {
  it.each([
    [["--data.set=tinyshakespeare", `--data=${textFile()}`], /"data\.set" is "tinyshakespeare", and "data\.path"/],
    [["--data.set=tinyshakespear"], /tinyshakespeare/],
    [[`--data=${textFile()}`, "--data.level=words", "--data.encoding=bytes"], /"data\.level" is "words": wants utf-8/],
    [[`--data=${join(folder, "train.bin")}`, "--data.level=words"], /want their vocabulary: --data\.vocabulary/],
    [[`--data=${textFile()}`, "--data.level=gpt2", `--data.vocabulary=${folder}`], /holds no "encoder\.json" or "vocab\.json"/],
    [[`--data=${join(folder, "train.bin")}`, "--data.level=bytes"], /symbol 256, wants 0 to 255/],
  ] as const)("%#", async (words, message) => {
    const { code, stderr } = await inPlace(train("refused", 2, ...words));
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, "refused"))).toBe(false);
  });

  it("a part that a text has not", async () => {
    const { code, stderr } = await inPlace(["eval", join(folder, "set-whole"), "--part=test"]);
    expect(stderr).toMatch(/tinyshakespeare has no test part/);
    expect(code).toBe(2);
  });
}); // prettier-ignore
