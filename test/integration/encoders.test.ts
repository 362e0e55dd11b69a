/** Training encoders: hidden symbols of a text, and classes of labelled texts. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointsOf } from "../../src/train/checkpoint-folder.ts";
import { decodeCheckpoint } from "../../src/train/checkpoint.ts";
import {
  inPlace,
  logrung,
  newestCheckpoint,
  start,
  stateOf,
  textFile,
  until,
  countLines,
  workspace,
} from "./program.ts";

const folder = workspace();
const at = (name: string): string => join(folder, name);
const tiny =
  "--model.layers=1 --model.width=16 --model.heads=2 --model.context=18 --threads=1 --evaluate.every=2 --checkpoint.every=2".split(
    " ",
  );

const masked = (output: string, steps: number, ...more: readonly string[]): string[] => [
  "train", "--task=masked", `--data=${textFile()}`, ...tiny, "--batch=4", "--evaluate.batches=2",
  `--steps=${steps}`, `--output=${at(output)}`, ...more,
]; // prettier-ignore

describe("a run on hidden symbols", () => {
  it("says loss, perplexity and accuracy, and is scored with the same symbols hidden", async () => {
    const { code, stdout, stderr } = await inPlace([
      ...masked("whole", 4, "--evaluate.batches=999"),
      "--json",
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/text .*sentences\.txt, 16 k bytes, 256 different, 15 % of each window hidden/);
    expect(stderr).toMatch(/step 2: validation loss [\d.]+, accuracy [\d.]+ %/);
    const { validation, parameters, tokensPerSecond } = JSON.parse(stdout);
    // 259·16 + 18·16 + 2·16 + 2·16, the block, the head's 16·16 + 16 + 2·16 + 259
    const block = 16 * 48 + 48 + 16 * 16 + 16 + 2 * 16 * 64 + 64 + 16 + 4 * 16;
    expect(parameters).toBe(259 * 16 + 18 * 16 + 64 + block + 16 * 16 + 16 + 32 + 259);
    expect(validation.perplexity).toBeCloseTo(Math.exp(validation.loss), 8);
    expect(tokensPerSecond).toBeGreaterThan(0);
    const scored = await inPlace(["eval", at("whole"), "--json"]);
    const { loss, accuracy } = validation;
    expect(JSON.parse(scored.stdout)).toMatchObject({ step: 4, symbols: 1600, loss, accuracy });
    const other = await inPlace(["eval", at("whole"), `--data=${textFile()}`]);
    expect(other.stdout).toMatch(
      /perplexity [\d.]+ a hidden symbol, accuracy [\d.]+ % \(step 4, 16000 symbols/,
    );
  });

  it.each([
    ["lns-madam in 8 bits", "--optimizer=lns-madam --precision=lns-madam-8 --lr=0.02"],
    ["dropout and parts of a batch", "--optimizer=adamw --model.dropout=0.1 --accumulate=2"],
  ])("goes on as if it had never stopped: %s", async (name, options) => {
    const run = at(name);
    const words = masked(name, 6, ...options.split(" "), "--checkpoint.keep=9");
    const whole = await inPlace(words);
    expect(whole.code, whole.stderr).toBe(0);
    const end = await stateOf(run);
    const again = await inPlace(["train", "--resume", run, "--checkpoint=step-2"]);
    expect(again.stderr).toContain("going on after step 2");
    expect(await stateOf(run)).toEqual(end);
  });

  it("is the same run after a kill", async () => {
    const options = ["--optimizer=lns-madam", "--precision=lns-madam-8", "--evaluate.every=0"];
    const steps = 120;
    expect((await logrung(masked("straight", steps, ...options))).code).toBe(0);
    const started = start(masked("killed", steps, ...options));
    await until(() => countLines(at("killed/metrics.jsonl")) >= 10, started);
    started.child.kill("SIGKILL");
    await started.ended;
    expect(countLines(at("killed/metrics.jsonl"))).toBeLessThan(steps);
    expect((await logrung(["train", "--resume", at("killed")])).code).toBe(0);
    expect(await stateOf(at("killed"))).toEqual(await stateOf(at("straight")));
  });

  it("takes a published preset, of which sizes may be changed", async () => {
    const dry = await inPlace([
      "train",
      "--task=masked",
      "--data=x",
      "--model.preset=bert-base",
      "--model.layers=3",
      "--dry-run",
    ]);
    expect(JSON.parse(dry.stdout).model).toMatchObject({
      layers: 3,
      width: 768,
      heads: 12,
      context: 512,
      hidden: 3072,
      dropout: 0.1,
    });
  });
});

const words = { good: ["fine", "great", "bright"], bad: ["dull", "poor", "grim"] };
const lines = Array.from({ length: 80 }, (_, i): [string, string] => {
  const label = i % 3 === 0 ? "good" : "bad";
  return [label, `the ladder is ${words[label][(i >> 2) % 3]} ${"today ".repeat(i % 4)}`.trim()];
});
mkdirSync(folder, { recursive: true });
writeFileSync(at("texts.tsv"), lines.map((line) => line.join("\t")).join("\n"));
writeFileSync(
  at("texts.jsonl"),
  lines.map(([label, text]) => JSON.stringify({ label, text, second: "or not" })).join("\n"),
);

const texts = (output: string, steps: number, ...more: readonly string[]): string[] => [
  "train", "--task=texts", `--data=${at("texts.tsv")}`, "--data.level=words", ...tiny, "--batch=8", "--lr=0.01",
  `--steps=${steps}`, `--output=${at(output)}`, ...more,
]; // prettier-ignore

describe("a run on labelled texts", () => {
  it("learns them, keeps its words and classes, and is scored on them and on others", async () => {
    const { code, stdout, stderr } = await inPlace([
      ...texts("texts", 100, "--optimizer=adamw", "--evaluate.every=0"),
      "--json",
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/context 18, 2 classes\)/);
    expect(stderr).toMatch(/texts .*texts\.tsv, 72 to train and 8 to validate/);
    const { validation } = JSON.parse(stdout);
    expect(validation.accuracy).toBe(1);
    expect(readFileSync(at("texts/tokenizer/classes.json"), "utf8")).toBe('["bad","good"]\n');
    const scored = await inPlace(["eval", at("texts"), "--json"]);
    expect(JSON.parse(scored.stdout)).toMatchObject({ step: 100, texts: 8, ...validation });
    writeFileSync(at("other.tsv"), "good\tthe ladder is dull\nbad\tthe ladder is dull today\n");
    const other = await inPlace(["eval", at("texts"), `--data=${at("other.tsv")}`]);
    expect(other.stdout).toMatch(/accuracy 50\.00 % \(step 100, 2 texts of .*other\.tsv\)/);
  });

  it("is read from the columns that are named, and scored on others like them", async () => {
    const rows = lines.map(([label, text], i) => [i, text, "or not", label].join("\t"));
    writeFileSync(at("header.tsv"), ["id\tfirst\tsecond\tclass", ...rows].join("\n"));
    const columns = "--data.columns=class,first,second";
    const { code, stderr } = await inPlace(texts("columns", 1, columns, `--data=${at("header.tsv")}`).filter((word) => !word.endsWith("texts.tsv")));
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/header\.tsv, 72 to train and 8 to validate/);
    const scored = await inPlace(["eval", at("columns"), `--data=${at("header.tsv")}`, "--json"]);
    expect(JSON.parse(scored.stdout)).toMatchObject({ texts: 80 });
    expect((await inPlace(["eval", at("columns"), `--data=${at("texts.tsv")}`])).stderr).toMatch(/line 1: names no column "class"/);
  }); // prettier-ignore

  it.each([
    ["pairs", ["--data.level=bytes", "--model.context=40", "--optimizer=rung", "--precision=rung8"]],
    [
      "a file that validates",
      [
        `--data.validation=${at("texts.tsv")}`,
        "--model.dropout=0.1",
        "--optimizer=lns-madam",
        "--precision=lns-madam-8",
      ],
    ],
  ])("goes on as if it had never stopped: %s", async (name, options) => {
    const run = at(name);
    const data = name === "pairs" ? [`--data=${at("texts.jsonl")}`] : [];
    const all = texts(name, 6, ...options, "--checkpoint.keep=9").filter(
      (word) => data.length === 0 || !word.startsWith("--data="),
    );
    const whole = await inPlace([...all, ...data]);
    expect(whole.code, whole.stderr).toBe(0);
    const end = await stateOf(run);
    expect((await inPlace(["train", "--resume", run, "--checkpoint=step-2"])).code).toBe(0);
    expect(await stateOf(run)).toEqual(end);
  });
});

describe("a classifier that starts from a run on hidden symbols", () => {
  const from = at("dropout and parts of a batch");
  const begun = (output: string, ...more: string[]) =>
    texts(
      output,
      1,
      "--optimizer=adamw",
      "--precision=fp32",
      "--data.level=bytes",
      `--model.from=${from}`,
      ...more,
    );

  it("has its encoder, and a head of its own", async () => {
    const { code, stderr } = await inPlace(begun("begun", "--checkpoint.keep=9"));
    expect(code, stderr).toBe(0);
    const [first] = await checkpointsOf(at("begun"));
    const { tensors } = await decodeCheckpoint(readFileSync(first.path), first.path);
    const source = (await newestCheckpoint(from)).tensors;
    for (const name of [
      "embeddings.word_embeddings.weight",
      "encoder.layer.0.output.dense.weight",
      "encoder.layer.0.output.LayerNorm.bias",
    ])
      expect(tensors[name], name).toEqual(source[name]);
    expect(tensors).toHaveProperty(["classifier.weight"]);
    expect(tensors).not.toHaveProperty(["cls.predictions.bias"]);
    expect((await inPlace(["train", "--resume", at("begun"), "--steps=2"])).code).toBe(0);
  });

  it("refuses other sizes, symbols and tasks", async () => {
    const fault = async (...more: string[]) => (await inPlace(begun("no", ...more))).stderr;
    expect(await fault("--model.width=32")).toMatch(/model\.width is 32, but 16 in the run of model\.from/);
    expect(await fault("--data.level=words")).toMatch(/data\.level is words, but bytes in the run/);
    expect(await fault(`--model.from=${at("texts")}`)).toMatch(/model\.from wants a run on hidden symbols/);
  });
});

describe("wrong use of encoders", () => {
  const fault = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await inPlace(args);
    expect(code).toBe(2);
    return stderr;
  };

  it("is told with what would do", async () => {
    expect(await fault("generate", at("whole"))).toMatch(
      /generate wants a run of a language model or of a GAN, this one \(bert\) learns hidden symbols/,
    );
    expect(await fault("generate", at("texts"))).toMatch(/this one \(bert\) learns classes of texts/);
    expect(await fault("train", "text", "--task=texts")).toMatch(
      /"data.path" is missing: which labelled texts\? --data path\/to\/any\.tsv/,
    );
    expect(await fault("train", "text", "--task=masked")).toMatch(/"data.path" is missing: which text\?/);
    expect(await fault(...masked("no", 1, "--model.heads=3"))).toMatch(
      /"model.width" is 16, wants a multiple of "model.heads", 3/,
    );
    expect(await fault(...masked("no", 1, "--model=gpt2"))).toMatch(/"model.name" is "gpt2"/);
    expect(await fault(...texts("no", 1, "--data.validation=/nowhere.tsv"))).toMatch(/nowhere\.tsv/);
    writeFileSync(at("bad.tsv"), "good\tfine\nno tab here\n");
    expect(await fault(...texts("no", 1, `--data.validation=${at("bad.tsv")}`))).toMatch(
      /bad\.tsv": line 2: has 1 columns/,
    );
    expect(await fault(...texts("no", 1, "--data.columns=label"))).toMatch(
      /"data.columns" is "label", wants a label's and a text's \(label,text\)/,
    );
    writeFileSync(at("new.tsv"), "ugly\tthe ladder\n");
    expect(await fault("eval", at("texts"), `--data=${at("new.tsv")}`)).toMatch(
      /label "ugly" is none of the classes bad, good/,
    );
  });

  it("does not go on with other texts", async () => {
    const before = readFileSync(at("texts.tsv"), "utf8");
    writeFileSync(at("texts.tsv"), before.replace("fine", "poor"));
    const told = await fault("train", "--resume", at("texts"), "--steps=150");
    writeFileSync(at("texts.tsv"), before);
    expect(told).toMatch(/the texts of this run .* are not those it was saved with.*--data <path>/);
  });
});
