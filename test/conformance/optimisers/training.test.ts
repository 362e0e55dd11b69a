/** A rule that computes its weights before every pass trains a language model like any other. */
import { afterAll, expect, it } from "vitest";
import { trainingBatch } from "../../../src/data/batches.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import { gpt2 } from "../../../src/models/gpt2.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import { parsePolicy } from "../../../src/precision/parse-policy.ts";
import { Device } from "../../../src/tensor/device.ts";
import {
  createTrainer,
  type LanguageTrainer,
  type LanguageTrainerSpec,
} from "../../../src/train/language-trainer.ts";
import { readTensor } from "../../../src/tensor/tensor.ts";
import { restore, snapshot } from "../../../src/train/snapshot.ts";
import { difference } from "./difference.ts";

const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 2, context: 16 });
const sizes = { vocabulary: 256, context: 16, layers: 1, width: 16, heads: 2, init: "fan-in" } as const;

const devices: Device[] = [];
afterAll(async () => {
  for (const device of devices) await device.close();
});

async function trainer(change: Partial<LanguageTrainerSpec> = {}): Promise<LanguageTrainer> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  devices.push(device);
  return createTrainer({
    device,
    model: gpt2(device, sizes, 1),
    policy: parsePolicy("fp32"),
    optimizer: difference,
    options: { lr: 1, deviation: 0.05 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.01 },
    exemptEmbeddings: true,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 60,
    seed: 1,
    dropout: 0,
    gradientClip: 1,
    accumulate: 2,
    average: { decay: 0.5, precision: null },
    ...change,
  });
}

it("with a draw of the weights for each part of a batch, and none in evaluation", async () => {
  const straight = await trainer();
  const { loss: before } = await straight.evaluate([batch(1)]);
  for (let t = 1; t <= 10; t++) await straight.step(batch(t), t);
  const { memory } = devices[0].backend;
  const { bytes } = memory;
  const state = await snapshot(straight.tensors());
  const resumed = await trainer();
  restore(resumed.tensors(), state);
  resumed.resume(10, straight.state);
  for (let t = 11; t <= 60; t++) await straight.step(batch(t), t);
  for (let t = 11; t <= 60; t++) await resumed.step(batch(t), t);
  const after = await straight.evaluate([batch(1)]);
  expect(after.loss).toBeLessThan(0.8 * before);
  expect(await straight.evaluate([batch(1)])).toEqual(after);
  expect(await resumed.evaluate([batch(1)])).toEqual(after);
  expect(memory.bytes).toBe(bytes);
});

it("keeps parts in checkpoints, not the weights, and averages the means of the weights", async () => {
  const made = await trainer();
  const names = Object.keys(made.tensors());
  expect(names).toEqual(expect.arrayContaining(["h.0.attn.c_proj.weight.u", "h.0.attn.c_proj.weight.v"]));
  expect(names).not.toContain("h.0.attn.c_proj.weight");
  const average = "h.0.attn.c_proj.weight.average";
  expect(names).toEqual(expect.arrayContaining(["wte.weight", "wte.weight.average", average]));
  const at = async (name: string): Promise<number[]> =>
    Array.from(await readTensor(made.tensors()[name]), Number);
  let mean: number[] = [];
  for (let t = 1; t <= 4; t++) {
    await made.step(batch(t), t);
    const [u, v] = [await at("h.0.attn.c_proj.weight.u"), await at("h.0.attn.c_proj.weight.v")];
    const rate = 0.5 / (1 - 0.5 ** t);
    mean = u.map((x, i) => (mean[i] ?? 0) + rate * (x - v[i] - (mean[i] ?? 0)));
  }
  const found = await at(average);
  mean.forEach((x, i) => expect(found[i]).toBeCloseTo(x, 5));
});

it("takes the mean over several draws of the weights: as a batch of copies in as many parts", async () => {
  const one = batch(1);
  const inputs = Int32Array.of(...one.inputs, ...one.inputs);
  const targets = Int32Array.of(...one.targets, ...one.targets);
  const copies = { ...one, rows: 2 * one.rows, inputs, targets };
  const drawn = await trainer({ samples: 2, accumulate: 1 });
  const parted = await trainer({ samples: 1, accumulate: 2 });
  const single = await trainer({ samples: 1, accumulate: 1 });
  for (let t = 1; t <= 3; t++) {
    const result = await drawn.step(one, t);
    expect(result).toEqual(await parted.step(copies, t));
    expect((await single.step(one, t)).loss).not.toBe(result.loss);
  }
  expect(await drawn.evaluate([one])).toEqual(await parted.evaluate([one]));
});

it("refuses several draws where no rule draws weights", async () => {
  const plain = trainer({ optimizer: optimizers.adamw, options: { lr: 0.01 }, samples: 2 });
  await expect(plain).rejects.toThrow(/2 samples a step, but adamw draws no weights: wants 1/);
});
