import { afterEach, describe, expect, it } from "vitest";
import type { ImageSet } from "../data/image-set.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { ganPreset } from "../models/gan.ts";
import { evaluationPass } from "../nn/pass.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import {
  createGanTrainer,
  ganNormalisation,
  noiseOf,
  type GanTrainer,
  type GanTrainerSpec,
} from "./gan-trainer.ts";
import { imageFeed } from "./image-feed.ts";
import { trainingLoop } from "./loop.ts";
import type { StepMetrics } from "./metrics.ts";
import { restore, snapshot } from "./snapshot.ts";

const task = { channels: 1, height: 8, width: 8, classes: 2 };

/** Images bright in their upper or their lower half. */
function halves(count: number): ImageSet {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * 64 }, (_, i) => {
    const upper = i % 64 < 32;
    return (upper === (labels[Math.floor(i / 64)] === 0) ? 200 : 20) + ((i * 37) % 40);
  });
  return { name: "halves", channels: 1, height: 8, width: 8, classes: ["upper", "lower"], images, labels };
}

const feedOf = (rows: number) =>
  imageFeed(
    { training: halves(64), validation: halves(16) },
    { seed: 1, rows, normalisation: ganNormalisation(1) },
  );

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function trainerOf(preset: string, change: Partial<GanTrainerSpec> = {}): Promise<GanTrainer> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  const optimizer = { fp32: optimizers.madam, rung8: optimizers.rung }[preset] ?? optimizers["lns-madam"];
  return createGanTrainer({
    device,
    model: ganPreset("gan-mini").build(device, task, 1),
    policy: parsePolicy(preset),
    optimizer,
    options: preset === "rung8" ? { lr: 0.01, beta1: 0 } : { lr: 0.05 },
    exemptOptimizer: optimizers.adam,
    exemptOptions: { lr: 0.004, beta1: 0 },
    exemptEmbeddings: false,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 200,
    seed: 1,
    dropout: 0,
    gradientClip: null,
    ...change,
  });
}

async function train(trainer: GanTrainer, from: number, to: number, rows = 8) {
  const feed = feedOf(rows);
  const results = [];
  for (let t = from; t <= to; t++) results.push(await trainer.step(await feed.training(t), t));
  return results;
}

/** Mean brightness of the upper half less that of the lower one, of images made of each class. */
async function contrasts(trainer: GanTrainer): Promise<number[]> {
  const labels = Int32Array.from({ length: 16 }, (_, i) => i % 2);
  const { model } = trainer;
  const noise = noiseOf([5, 6], 16, model.latent);
  const pixels = await open[0].step(() =>
    open[0].tape.without(() => readValues(model.generate(noise, labels, evaluationPass(parsePolicy("fp32"), 1)))),
  );
  return [0, 1].map((label) => {
    let sum = 0;
    for (let i = 0; i < pixels.length; i++)
      if (Math.floor(i / 64) % 2 === label) sum += (i % 64 < 32 ? 1 : -1) * pixels[i];
    return sum / (8 * 64);
  });
} // prettier-ignore

describe.each(["fp32", "rung8"])("a GAN in %s", (preset) => {
  it("learns to make images of their classes, in memory that stays", async () => {
    const trainer = await trainerOf(preset);
    const { memory } = open[0].backend;
    await train(trainer, 1, 2);
    const { peakBytes } = memory;
    const results = await train(trainer, 3, 95);
    expect(memory.peakBytes).toBe(peakBytes);
    const [upper, lower] = await contrasts(trainer);
    expect(upper - lower).toBeGreaterThan(0.5);
    const { loss, losses } = results[0];
    expect(losses?.discriminator).toBe(loss);
    expect(losses?.generator).toBeTypeOf("number");
  });
});

it("moves each network by its own loss alone", async () => {
  const stopped = (pattern: string) => ({ pattern, optimizer: optimizers.sgd, options: { lr: 1e-30 } });
  const weights = async (trainer: GanTrainer, part: "generator" | "discriminator") =>
    (await Promise.all(trainer.model[part].map(({ tensor }) => readValues(tensor)))).flatMap((x) => [...x]);
  const furthest = (a: readonly number[], b: readonly number[]) =>
    a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
  for (const [still, other] of [["generator", "discriminator"], ["discriminator", "generator"]] as const) {
    const trainer = await trainerOf("fp32", { groups: [stopped(`${still}.*`)] });
    const [before, moving] = [await weights(trainer, still), await weights(trainer, other)];
    await train(trainer, 1, 2);
    expect(furthest(await weights(trainer, still), before)).toBeLessThan(1e-20);
    expect(furthest(await weights(trainer, other), moving)).toBeGreaterThan(1e-3);
  }
}); // prettier-ignore

it.each([
  ["lns-madam-8", 1],
  ["fp32", 2],
] as const)("goes on bit for bit from a checkpoint in %s, %i updates of D a step", async (preset, turns) => {
  const options = { discriminatorSteps: turns, average: { decay: 0.9, precision: null } };
  const rows = 8 * turns;
  const straight = await trainerOf(preset, options);
  await train(straight, 1, 3, rows);
  const state = await snapshot(straight.tensors());
  const names = Object.keys(state);
  expect(names).toEqual(
    expect.arrayContaining(["generator.fc.weight_u", "generator.bn_img.running_mean", "discriminator.embed.weight_u"]),
  );
  expect(names.filter((name) => name.endsWith(".average")).every((name) => name.startsWith("generator."))).toBe(true);
  const resumed = await trainerOf(preset, options);
  restore(resumed.tensors(), state);
  resumed.resume(3, straight.state);
  expect(await train(resumed, 4, 6, rows)).toEqual(await train(straight, 4, 6, rows));
  expect(await snapshot(resumed.tensors())).toEqual(await snapshot(straight.tensors()));
  const validation = feedOf(rows);
  expect(await resumed.evaluate(validation.validation())).toEqual(await straight.evaluate(validation.validation()));
}); // prettier-ignore

it("counts updates of the discriminator for its optimiser: two a step are two steps of it", async () => {
  const options = { groups: [{ pattern: "generator.*", optimizer: optimizers.sgd, options: { lr: 1e-30 } }] };
  const [one, two] = [await trainerOf("fp32", options), await trainerOf("fp32", { ...options, discriminatorSteps: 2 })];
  await train(one, 1, 4, 4);
  await train(two, 1, 2, 8);
  // Other noise, so near: Adam's first steps are of one size each, where its counts agree.
  const distance = async (a: GanTrainer, b: GanTrainer | null) => {
    let sum = 0;
    const fresh = ganPreset("gan-mini").build(open[0], task, 1);
    for (const [i, { tensor }] of a.model.discriminator.entries()) {
      const [x, y] = [await readValues(tensor), await readValues((b?.model ?? fresh).discriminator[i].tensor)];
      x.forEach((value, k) => (sum += (value - y[k]) ** 2));
    }
    return Math.sqrt(sum);
  };
  expect((await distance(two, null)) / (await distance(one, null))).toBeCloseTo(1, 0);
}); // prettier-ignore

it("tells both losses of each step, and calls what comes after it", async () => {
  const trainer = await trainerOf("fp32");
  const told: StepMetrics[] = [];
  const after: number[] = [];
  const result = await trainingLoop({
    trainer,
    feed: feedOf(8),
    steps: 3,
    evaluateEvery: 2,
    checkpointEvery: 0,
    start: { step: 0, seconds: 0 },
    signal: new AbortController().signal,
    onStep: (metrics) => told.push(metrics),
    afterStep: async (step) => void after.push(step),
    save: async () => undefined,
  });
  expect(after).toEqual([1, 2, 3]);
  for (const { loss, discriminatorLoss, generatorLoss } of told) {
    expect(discriminatorLoss).toBe(loss);
    expect(generatorLoss).toBeTypeOf("number");
  }
  expect(told[1].validationLoss).toBeGreaterThan(0);
  expect(result.validation?.accuracy).toBeUndefined();
});
