import { afterEach, describe, expect, it } from "vitest";
import { maskedBatch, sequentialMasked } from "../data/masked-batches.ts";
import { specialSymbols } from "../data/special-symbols.ts";
import { examplesOf } from "../data/text-batches.ts";
import { byteTokenizer } from "../data/byte-tokenizer.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { bert, bertClassifier } from "../models/bert.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { presets } from "../precision/presets.ts";
import { Device } from "../tensor/device.ts";
import { createMaskedTrainer, maskedFeed, type MaskedTrainer } from "./masked-trainer.ts";
import { createTextTrainer, labelledFeed } from "./text-trainer.ts";
import type { TrainingOptions } from "./trainer.ts";

const symbols = specialSymbols(256);
const config = {
  vocabulary: symbols.vocabulary,
  context: 16,
  layers: 2,
  width: 24,
  heads: 3,
  init: "fan-in",
} as const;
const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const plan = { seed: 1, rows: 4, context: 16, symbols };

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function optionsOf(preset: string): Promise<TrainingOptions> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  return {
    device,
    policy: parsePolicy(preset),
    // Parts without a sign are LMD's.
    optimizer: preset === "lmd8" ? optimizers.lmd : optimizers.madam,
    options: { lr: 0.02 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.01 },
    exemptEmbeddings: false,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 40,
    seed: 1,
    dropout: 0,
    gradientClip: 1,
  };
} // prettier-ignore

async function maskedTrainer(preset: string): Promise<MaskedTrainer> {
  const options = await optionsOf(preset);
  return createMaskedTrainer({ ...options, model: bert(options.device, config, 1) });
}

describe("a tiny BERT", () => {
  it.each(Object.keys(presets))(
    "learns hidden symbols in %s, near what it does in float32",
    async (preset) => {
      const losses = async (name: string): Promise<number[]> => {
        const trainer = await maskedTrainer(name);
        const all: number[] = [];
        const batch = maskedBatch(text, 1, { ...plan, rows: 32 });
        for (let t = 1; t <= 3; t++) all.push((await trainer.step(batch, t)).loss);
        return all;
      };
      const [exact, found] = [await losses("fp32"), await losses(preset)];
      expect(found.every(Number.isFinite)).toBe(true);
      expect(found[2]).toBeLessThan(found[0]);
      expect(Math.abs(found[0] - exact[0])).toBeLessThan(0.1);
    },
  );

  it("is judged on the same hidden symbols every time, in memory that stays", async () => {
    const trainer = await maskedTrainer("lns-madam-8");
    const feed = maskedFeed({ training: text, validation: text.subarray(0, 300) }, { ...plan, limit: 99 });
    const before = await trainer.evaluate(feed.validation());
    expect(await trainer.evaluate(feed.validation())).toEqual(before);
    const { memory } = open[0].backend;
    const run = async (from: number, to: number): Promise<void> => {
      for (let t = from; t <= to; t++) await trainer.step(await feed.training(t), t);
    };
    await run(1, 2);
    const { peakBytes } = memory;
    await run(3, 40);
    expect(memory.peakBytes).toBe(peakBytes);
    const after = await trainer.evaluate(feed.validation());
    expect(after.loss).toBeLessThan(before.loss);
    expect(after.accuracy).toBeGreaterThan(0.1);
  });

  it("computes a batch in parts, to the same loss", async () => {
    const [whole, parted] = [await optionsOf("fp32"), await optionsOf("fp32")];
    const trainers = [whole, { ...parted, accumulate: 2 }].map((options) =>
      createMaskedTrainer({ ...options, model: bert(options.device, config, 1) }),
    );
    const [one, two] = await Promise.all(trainers);
    for (let t = 1; t <= 2; t++) {
      const [a, b] = [await one.step(maskedBatch(text, t, plan), t), await two.step(maskedBatch(text, t, plan), t)];
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-4);
    }
    const [batch] = sequentialMasked(text, { ...plan, rows: 3 });
    await expect(two.step(batch, 3)).rejects.toThrow(/3 does not divide into 2/);
  }); // prettier-ignore
});

describe("a classifier of texts", () => {
  it.each(["fp32", "lns-madam-8"])("learns padded texts in %s, whole or in parts", async (preset) => {
    const texts = Array.from({ length: 24 }, (_, i) => ({
      label: i % 2 === 0 ? "up" : "down",
      text: `${"x".repeat(i % 5)}${i % 2 === 0 ? "climb" : "drop"}`,
    }));
    const how = { name: "t", tokenizer: byteTokenizer, symbols, context: 16, classes: ["down", "up"] };
    const examples = examplesOf(texts, how);
    const feed = labelledFeed({ training: examples, validation: examples }, { seed: 1, rows: 6, symbols });
    const options = await optionsOf(preset);
    const model = bertClassifier(options.device, config, 2, 1);
    const trainer = await createTextTrainer({ ...options, model, labelSmoothing: 0.1, accumulate: 2 });
    for (let t = 1; t <= 40; t++) await trainer.step(await feed.training(t), t);
    const { loss, accuracy } = await trainer.evaluate(feed.validation());
    expect(accuracy).toBe(1);
    expect(loss).toBeLessThan(0.4);
  });
});
