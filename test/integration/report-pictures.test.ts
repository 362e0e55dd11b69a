/** What a run's report draws: attention, and numbers in their formats. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { AttentionReport, RunSummary } from "../../src/train/run-summary.ts";
import { inPlace, textFile, training, workspace } from "./program.ts";

const folder = workspace();
const at = (name: string): string => join(folder, name);
const summaryAt = (name: string): RunSummary =>
  JSON.parse(readFileSync(at(`${name}/summary.json`), "utf8")) as RunSummary;
const pageAt = (name: string): string => readFileSync(at(`${name}/report.html`), "utf8");

async function ok(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await inPlace(words);
  expect(code, stderr).toBe(0);
  return stdout;
}

function attentionAt(name: string): AttentionReport {
  const { attention } = summaryAt(name);
  if (attention === undefined) throw new Error(`${name} has no attention`);
  return attention;
}

/** Probabilities as the page has them, [rows, columns]. */
function rowsOf({ shares, top }: { readonly shares: string; readonly top: number }, columns: number) {
  const bytes = [...Buffer.from(shares, "base64")].map((byte) => (byte / 255) * top);
  return Array.from({ length: bytes.length / columns }, (_, i) =>
    bytes.slice(i * columns, (i + 1) * columns),
  );
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const tinyBert =
  "--model.layers=1 --model.width=16 --model.heads=2 --model.context=18 --threads=1 --evaluate.every=0 --batch=4".split(
    " ",
  );

beforeAll(async () => {
  await ok(...training(at("gpt2"), 4));
  const { stderr } = await inPlace(
    training(at("lmd"), 4, "--optimizer=lmd", "--precision=lmd8", "--lr=0.01"),
  );
  expect(stderr).toContain("report:");
  await ok(...training(at("floats"), 2, "--model=transformer-lm", "--optimizer=adamw", "--precision=fp32"));
  await ok(
    "train", "--task=masked", `--data=${textFile()}`, ...tinyBert, "--precision=fp32", "--steps=2", `--output=${at("masked")}`,
  ); // prettier-ignore
}, 30_000);

describe("attention in a report", () => {
  it("is a map of every head of a causal model, whose tokens see nothing that comes later", () => {
    const { layers, texts } = attentionAt("gpt2");
    expect(layers).toEqual([{ name: "h.0.attn", format: "lns8-g8" }]);
    const [{ tokens, causal, maps }] = texts;
    expect([tokens.length, causal, maps.length, maps[0].length]).toEqual([16, true, 1, 2]);
    for (const map of maps[0])
      for (const [query, row] of rowsOf(map, 16).entries()) {
        expect(row.slice(query + 1).every((p) => p === 0)).toBe(true);
        expect(sum(row)).toBeGreaterThan(0.9); // rounded to eight rungs an octave, then to a byte
        expect(sum(row)).toBeLessThan(1.1);
      }
    expect(texts[0].caption).toContain("validation text");
  });

  it("is of hidden symbols seen from both sides, in float32 rows that sum to one", () => {
    const { layers, texts } = attentionAt("masked");
    expect(layers[0].format).toBe("fp32");
    const [{ tokens, causal, maps }] = texts;
    expect([tokens[0], tokens.at(-1), tokens.length, causal]).toEqual(["[CLS]", "[SEP]", 18, false]);
    const half = 1 / 510; // of a byte
    for (const map of maps[0])
      for (const row of rowsOf(map, 18)) expect(Math.abs(sum(row) - 1)).toBeLessThan(18 * half * map.top + 1e-5);
  }); // prettier-ignore

  it("is drawn anew from a checkpoint, and of a text that is given", async () => {
    const before = pageAt("gpt2");
    await ok("report", at("gpt2"), "--checkpoint=step-4");
    expect(pageAt("gpt2")).toBe(before);
    await ok("report", at("gpt2"), "--text=<script>alert(1)</script>");
    const [data] = /(?<=id="attention">).*?(?=<\/script>)/s.exec(pageAt("gpt2")) ?? ["{}"];
    expect(JSON.parse(data).texts[0].tokens.join("")).toBe("<script>alert(1)");
    expect(pageAt("gpt2")).not.toContain("<script>alert");
    await ok("report", at("masked"), "--text=a weight");
    expect(pageAt("masked")).toContain("A text that was given");
    await ok("report", at("gpt2"));
    expect(pageAt("gpt2")).toBe(before);
  });

  it("says what it cannot draw", async () => {
    const both = await inPlace(["report", at("gpt2"), at("lmd"), "--text=a", `--output=${at("x.html")}`]);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("a report on one run")]);
    const missing = await inPlace(["report", at("gpt2"), "--checkpoint=step-9"]);
    expect(missing.code).toBe(2);
    const json = JSON.parse(await ok("report", at("gpt2"), "--json"));
    expect(json.runs[0]).not.toHaveProperty("attention");
    expect(json.runs[0]).not.toHaveProperty("spreads");
  });

  it("is what the class token of a vision transformer sees of the patches", async () => {
    writeImages();
    const run = (model: string): Promise<string> =>
      ok("train", "fashion-mnist-mlp", `--data-dir=${at("data")}`, `--model=${model}`, "--batch=10", "--threads=1",
        "--evaluate.every=0", "--steps=1", `--output=${at(model)}`); // prettier-ignore
    await run("vit-mini");
    const { images, texts, layers } = attentionAt("vit-mini");
    expect([images.length, texts, layers.length]).toEqual([4, [], 2]);
    for (const { grid, maps, height, pixels } of images) {
      expect([grid, height, Buffer.from(pixels, "base64").length]).toEqual([[14, 14], 28, 784]);
      for (const map of maps.flat()) {
        const patches = sum(rowsOf(map, 14).flat());
        expect(Math.abs(patches + map.self - 1)).toBeLessThan((196 / 510) * map.top + 1e-5);
      }
    }
    expect(pageAt("vit-mini")).toMatch(/what the class token reads of each patch/);
    const refused = await inPlace(["report", at("vit-mini"), "--text=a"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("on images")]);
    const before = pageAt("vit-mini");
    await ok("report", at("vit-mini"), "--checkpoint=step-1");
    expect(pageAt("vit-mini")).toBe(before);
    await run("mlp-mini");
    expect(summaryAt("mlp-mini")).not.toHaveProperty("attention");
    expect(pageAt("mlp-mini")).not.toContain("<h2>Attention</h2>");
  });
});

/** Noise in files as Fashion-MNIST's. */
function writeImages(): void {
  const set = at("data/fashion-mnist");
  mkdirSync(set, { recursive: true });
  const file = (shape: readonly number[], byte: (i: number) => number): Buffer => {
    const header = Buffer.alloc(4 + 4 * shape.length);
    header.set([0, 0, 8, shape.length]);
    shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
    const size = shape.reduce((a, b) => a * b);
    return Buffer.concat([header, Uint8Array.from({ length: size }, (_, i) => byte(i))]);
  };
  for (const part of ["train", "t10k"]) {
    writeFileSync(
      join(set, `${part}-images-idx3-ubyte`),
      file([20, 28, 28], (i) => (i * 37) % 251),
    );
    writeFileSync(
      join(set, `${part}-labels-idx1-ubyte`),
      file([20], (i) => i % 10),
    );
  }
}

describe("numbers in a report", () => {
  const spreadsAt = (name: string) => {
    const { spreads } = summaryAt(name);
    if (spreads === undefined) throw new Error(`${name} has no spreads`);
    return spreads;
  };

  it.each([
    ["gpt2", ["weight lns8-g16", "first moment lns8-g8", "second moment ulns8-g4"]],
    ["lmd", ["part ulns8-g32", "first moment lns8-g8", "second moment ulns6-g1"]],
    ["floats", ["weight fp32", "first moment fp32", "second moment fp32"]],
  ])("are all numbers of each tensor, on their ladder or against one: %s", (name, kinds) => {
    const { tensors } = spreadsAt(name);
    expect([...new Set(tensors.map(({ role, format }) => `${role} ${format}`))]).toEqual(kinds);
    for (const { positive, negative, zeros, count, shape, role } of tensors) {
      expect(count).toBe(shape.reduce((a, b) => a * b));
      expect(sum(positive) + sum(negative) + zeros).toBe(count);
      if (role === "second moment") expect(sum(negative)).toBe(0);
    }
    expect(pageAt(name)).toContain("<h2>Weights and moments in their formats</h2>");
  });

  it("begin where the seed puts them, and move", () => {
    const { tensors, moves } = spreadsAt("gpt2");
    const weights = tensors.filter(({ role }) => role === "weight");
    for (const { initial, count, moved } of weights) {
      expect(sum(initial?.positive ?? []) + sum(initial?.negative ?? [])).toBe(count); // no zero at the start
      expect(moved?.stayed).toBeLessThan(1);
    }
    const [{ count, zero, counts, format }] = moves;
    expect([format, sum(counts) + zero]).toEqual(["lns8-g16", count]);
    expect(count).toBe(sum(weights.map((tensor) => tensor.count)));
    expect(spreadsAt("lmd").moves).toEqual([]);
    const [ladder] = summaryAt("gpt2").ladders;
    expect(sum(ladder.initial?.positive ?? []) + sum(ladder.initial?.negative ?? [])).toBe(count);
  });

  it("leave out float32 vectors", () => {
    expect(spreadsAt("gpt2").leftOut).toEqual({ vectors: 10, small: 0 });
    expect(spreadsAt("floats").tensors.every(({ shape }) => shape.length > 1)).toBe(true);
  });

  it("make no page heavy", () => {
    expect(statSync(at("gpt2/report.html")).size).toBeLessThan(200_000);
  });
});
