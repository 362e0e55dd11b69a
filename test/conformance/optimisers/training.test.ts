/** A rule that computes its weights before every pass trains a language model like any other. */
import { afterAll, expect, it } from "vitest";
import { trainingBatch } from "../../../src/data/batches.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import { gpt2 } from "../../../src/models/gpt2.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import { parsePolicy } from "../../../src/precision/parse-policy.ts";
import { Device } from "../../../src/tensor/device.ts";
import { createTrainer, type LanguageTrainer } from "../../../src/train/language-trainer.ts";
import { restore, snapshot } from "../../../src/train/snapshot.ts";
import { difference } from "./difference.ts";

const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 2, context: 16 });
const sizes = { vocabulary: 256, context: 16, layers: 1, width: 16, heads: 2, init: "fan-in" } as const;

const devices: Device[] = [];
afterAll(async () => {
  for (const device of devices) await device.close();
});

async function trainer(): Promise<LanguageTrainer> {
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
  });
}

it("with a draw of the weights for each part of a batch, and none in evaluation", async () => {
  const straight = await trainer();
  const before = await straight.evaluate([batch(1)]);
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
  expect(after).toBeLessThan(0.8 * before);
  expect(await straight.evaluate([batch(1)])).toBe(after);
  expect(await resumed.evaluate([batch(1)])).toBe(after);
  expect(memory.bytes).toBe(bytes);
});

it("keeps parts in checkpoints, not the weights, and averages the others' weights", async () => {
  const names = Object.keys((await trainer()).tensors());
  expect(names).toEqual(expect.arrayContaining(["h.0.attn.c_proj.weight.u", "h.0.attn.c_proj.weight.v"]));
  expect(names).not.toContain("h.0.attn.c_proj.weight");
  expect(names).not.toContain("h.0.attn.c_proj.weight.average");
  expect(names).toEqual(expect.arrayContaining(["wte.weight", "wte.weight.average"]));
});
