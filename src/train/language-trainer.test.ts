import { afterEach, describe, expect, it } from "vitest";
import { trainingBatch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import type { LanguageModelConfig } from "../models/model.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { DivergenceError, expectFinite } from "./divergence.ts";
import { createTrainer, type LanguageTrainer, type TrainerSpec } from "./language-trainer.ts";

const sizes = { vocabulary: 256, context: 16, layers: 1, width: 16, heads: 2, init: "fan-in" } as const;
const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 2, context: 16 });

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function trainerOf(
  preset: string,
  change: Partial<TrainerSpec> = {},
  shape: LanguageModelConfig = sizes,
): Promise<LanguageTrainer> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  return createTrainer({
    device,
    model: gpt2(device, shape, 1),
    policy: parsePolicy(preset),
    optimizer: preset === "fp32" ? optimizers.adamw : optimizers["lns-madam"],
    options: { lr: preset === "fp32" ? 0.01 : 0.05 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.01 },
    exemptEmbeddings: true,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 100,
    seed: 1,
    dropout: 0.1,
    gradientClip: 1,
    ...change,
  });
}

describe.each(["fp32", "state8", "lns-madam-8"])("a language model in %s", (preset) => {
  it("learns a small text", async () => {
    const trainer = await trainerOf(preset, { dropout: 0 });
    const before = await trainer.evaluate([batch(1)]);
    for (let t = 1; t <= 60; t++) await trainer.step(batch(t), t);
    expect(await trainer.evaluate([batch(1)])).toBeLessThan(0.7 * before);
  });

  it("takes no more memory after step 2, nor a validation after the first", async () => {
    const trainer = await trainerOf(preset);
    const { memory } = open[0].backend;
    const use = () => ({ bytes: memory.bytes, peakBytes: memory.peakBytes });
    await trainer.evaluate([batch(1)]);
    for (const t of [1, 2]) await trainer.step(batch(t), t);
    const second = use();
    for (let t = 3; t <= 30; t++) await trainer.step(batch(t), t);
    await trainer.evaluate([batch(1), batch(2)]);
    expect(use()).toEqual(second);
  });
});

it("8-bit state brings no float32 copy of the weights along", async () => {
  const workspaces: number[] = [];
  for (const preset of ["fp32", "state8"]) {
    const wide = { ...sizes, width: 64 };
    const trainer = await trainerOf(preset, {}, wide);
    for (const t of [1, 2]) await trainer.step(batch(t), t);
    const { memory } = trainer.model.parameters[0].tensor.device.backend;
    workspaces.push(memory.bytes - trainer.stateBytes);
    if (preset === "state8") expect(trainer.stateBytes).toBeLessThan(3.5 * trainer.parameterCount);
  }
  // What is held besides the state is the products' workspace, in both alike, and a few tables of 256 values.
  expect(workspaces[1] - workspaces[0]).toBeLessThan(16_384);
});

describe("a step that goes wrong", () => {
  it("names the weight that is not finite, and updates nothing", async () => {
    const trainer = await trainerOf("fp32");
    const { tensor, name } = trainer.model.parameters[3];
    const values = Float32Array.from(await readValues(tensor));
    values[2] = Number.NaN;
    open[0].backend.write(tensor.storage.slice(), values);
    const first = trainer.model.parameters[0].tensor;
    const before = await readValues(first);
    const failed = trainer.step(batch(7), 7);
    await expect(failed).rejects.toThrow(DivergenceError);
    await expect(failed).rejects.toThrow(`the loss is NaN at step 7: weight "${name}" is not finite`);
    expect(await readValues(first)).toEqual(before);
    await expect(expectFinite(6, trainer.tensors())).rejects.toThrow(
      `at step 6: "${name}" is the first tensor`,
    );
  });

  it("leaves no memory behind", async () => {
    const trainer = await trainerOf("state8");
    await trainer.step(batch(1), 1);
    const { bytes } = open[0].backend.memory;
    open[0].backend.write(trainer.model.parameters[0].tensor.storage.slice(), new Float32Array([Number.NaN]));
    await trainer.step(batch(2), 2).catch((error: unknown) => expect(error).toBeInstanceOf(DivergenceError));
    expect(open[0].backend.memory.bytes).toBe(bytes);
  });
});
