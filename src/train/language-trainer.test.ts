import { afterEach, describe, expect, it } from "vitest";
import { trainingBatch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import type { LanguageModelConfig } from "../models/model.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { readValues } from "../tensor/tensor.ts";
import { DivergenceError, expectFinite } from "./divergence.ts";
import { createGroups } from "./parameter-groups.ts";
import { createTrainer, type LanguageTrainer, type LanguageTrainerSpec } from "./language-trainer.ts";

const sizes = { vocabulary: 256, context: 16, layers: 1, width: 16, heads: 2, init: "fan-in" } as const;
const text = new TextEncoder().encode("a weight stands on one rung and climbs to the next. ".repeat(20));
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 2, context: 16 });

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function trainerOf(
  preset: string,
  change: Partial<LanguageTrainerSpec> = {},
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
    const { loss: before } = await trainer.evaluate([batch(1)]);
    for (let t = 1; t <= 60; t++) await trainer.step(batch(t), t);
    expect((await trainer.evaluate([batch(1)])).loss).toBeLessThan(0.7 * before);
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

describe("a batch in parts", () => {
  it("gives the gradients of the whole", async () => {
    const whole = trainingBatch(text, { seed: 1, step: 1, rows: 4, context: 16 });
    const measured: number[][] = [];
    for (const accumulate of [1, 2, 4]) {
      const trainer = await trainerOf("fp32", { dropout: 0, accumulate });
      const { loss, gradientNorm = 0 } = await trainer.step(whole, 1);
      measured.push([loss, gradientNorm]);
    }
    for (const parts of measured) parts.forEach((x, i) => expect(x).toBeCloseTo(measured[0][i], 5));
    const odd = await trainerOf("fp32", { accumulate: 3 });
    await expect(odd.step(whole, 1)).rejects.toThrow(/a batch of 4 does not divide into 3 equal parts/);
  });
});

describe("an average of the weights", () => {
  const decay = 0.9;
  it.each([
    ["float32", null, 1e-5],
    ["bf16", { format: "bf16", rounding: "stochastic", scale: "none" } as const, 2e-2],
    ["8-bit codes", { format: "lns8-g16", rounding: "stochastic", scale: "tensor" } as const, 0.1],
  ])("is the weighted mean, in %s, and what validation sees", async (_, precision, tolerance) => {
    const trainer = await trainerOf("fp32", { dropout: 0, average: { decay, precision } });
    const [parameter] = trainer.model.parameters;
    let mean: number[] = [];
    for (let t = 1; t <= 20; t++) {
      await trainer.step(batch(t), t);
      const rate = (1 - decay) / (1 - decay ** t);
      const w = Array.from(await readValues(parameter.tensor));
      mean = w.map((x, i) => (mean[i] ?? 0) + rate * (x - (mean[i] ?? 0)));
    }
    const own = await readValues(parameter.tensor);
    const average = await trainer.evaluating(() => readValues(parameter.tensor));
    const norm = (x: readonly number[]) => Math.sqrt(x.reduce((sum, y) => sum + y * y, 0));
    expect(norm(mean.map((x, i) => average[i] - x)) / norm(mean)).toBeLessThan(tolerance);
    expect(await readValues(parameter.tensor)).toEqual(own);
    expect(Object.keys(trainer.tensors())).toContain(`${parameter.name}.average`);
  });

  it("is refused in a format without signs", async () => {
    const precision = { format: "ulns8-g4", rounding: "stochastic", scale: "tensor" } as const;
    await expect(trainerOf("fp32", { average: { decay: 0.9, precision } })).rejects.toThrow(
      /an average of weights has both signs, and ulns8-g4 has none/,
    );
  });
});

describe("groups by name", () => {
  it("take their parameters before all other rules", async () => {
    const trainer = await trainerOf("state8", {
      groups: [
        { pattern: "*.bias", optimizer: optimizers.sgd, options: { lr: 0.5 } },
        { pattern: "*.attn.*", optimizer: optimizers.madam, options: {}, policy: parsePolicy("fp32") },
      ],
    });
    const groupOf = (end: string) =>
      trainer.groups.find(({ slots }) => slots.some(({ parameter }) => parameter.name.endsWith(end)));
    expect(groupOf("attn.c_proj.bias")?.optimizer.name).toBe("sgd");
    expect(groupOf("attn.c_proj.weight")?.optimizer.name).toBe("madam");
    expect(groupOf("attn.c_proj.weight")?.precision.weight).toBeNull();
    expect(trainer.groups[0].optimizer.name).toBe("lns-madam");
    const { length } = trainer.model.parameters;
    expect(trainer.groups.flatMap(({ slots }) => slots)).toHaveLength(length);
    const nothing = [{ pattern: "nothing*", optimizer: optimizers.sgd, options: {} }];
    await expect(trainerOf("fp32", { groups: nothing })).rejects.toThrow(
      /"nothing\*" fits no parameter .* \(left: wte.weight, .*, and \d+ more\)/,
    );
  });
});

describe("groups of codes", () => {
  it("keep their biases and norms in float32, as operations read them", async () => {
    const groups = [{ pattern: "*", optimizer: optimizers.rung, options: {} }];
    const trainer = await trainerOf("state8", { groups });
    await trainer.step(batch(1), 1);
    for (const { name, kind, tensor } of trainer.model.parameters) {
      const vector = kind === "bias" || kind === "norm";
      expect([name, tensor.encoding.kind]).toEqual([name, vector ? "float32" : "coded"]);
    }
  });
});

describe("zero weights under a multiplicative rule", () => {
  const groups = [{ pattern: "*.bias", optimizer: optimizers.madam, options: {} }];
  const biases = async (trainer: LanguageTrainer): Promise<number[]> => {
    const all: number[] = [];
    for (const { name, tensor } of trainer.model.parameters)
      if (name.endsWith(".bias")) all.push(...(await readValues(tensor)));
    return all;
  };

  it("stay, and are named", async () => {
    const trainer = await trainerOf("fp32", { groups });
    await trainer.step(batch(1), 1);
    expect((await biases(trainer)).every((x) => x === 0)).toBe(true);
    const named = trainer.groups.flatMap(({ immovable }) => immovable);
    expect(named.length).toBeGreaterThan(0);
    expect(named.every(({ name, zeros, of }) => name.endsWith(".bias") && zeros === of)).toBe(true);
  });

  it.each([
    ["redraw", (x: number) => Math.abs(x) < 1 && x !== 0],
    ["floor", (x: number) => Math.abs(Math.abs(x) - 0.01) < 1e-9],
  ] as const)("are given values by %s, the same for the same seed", async (zeros, fits) => {
    const [a, b] = [await trainerOf("fp32", { groups, zeros }), await trainerOf("fp32", { groups, zeros })];
    const values = await biases(a);
    expect(values.every(fits)).toBe(true);
    expect(values.some((x) => x < 0) && values.some((x) => x > 0)).toBe(true);
    expect(await biases(b)).toEqual(values);
    expect(a.groups.flatMap(({ immovable }) => immovable)).toEqual([]);
  });

  it("are trained by the exempt rule where all of a tensor is zero", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    open.push(device);
    const parameter = (name: string, values: readonly number[]): Parameter => ({
      name,
      kind: "matrix",
      tensor: { ...device.tensor(Float32Array.from(values), [values.length]), tracked: true },
    });
    const [mixed, zero] = await createGroups({
      parameters: [parameter("mixed", [1, 0]), parameter("zero", [0, 0])],
      optimizer: optimizers.madam,
      options: {},
      exemptOptimizer: optimizers.adamw,
      exemptOptions: {},
      exemptEmbeddings: false,
      zeros: "exempt",
      policy: parsePolicy("fp32"),
      seed: 1,
    });
    expect(mixed.immovable).toEqual([{ name: "mixed", zeros: 1, of: 2 }]);
    expect(zero.optimizer.name).toBe("adamw");
    expect(zero.slots.map((slot) => slot.parameter.name)).toEqual(["zero"]);
  });
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
