import { afterEach, describe, expect, it } from "vitest";
import { orderedImages, trainingImages } from "../data/image-batches.ts";
import type { ImageSet } from "../data/image-set.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { imagePreset } from "../models/image-presets.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { imageFeed } from "./image-feed.ts";
import { judgeImages } from "./image-report.ts";
import { createImageTrainer, type ImageTrainer, type ImageTrainerSpec } from "./image-trainer.ts";
import { likeliest } from "./likeliest.ts";
import { restore, snapshot } from "./snapshot.ts";

const task = { channels: 1, height: 8, width: 8, classes: 3 };
const normalisation = { mean: [0.3], deviation: [0.25] };

/** Images whose bright band is where their class says, over noise. */
function bands(count: number): ImageSet {
  const images = new Uint8Array(count * 64);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 3);
  for (let i = 0, state = 7; i < images.length; i++) {
    state = (state * 1103 + 12_345) % 65_536;
    const row = Math.floor((i % 64) / 8);
    const bright = Math.floor(row / 3) === labels[Math.floor(i / 64)];
    images[i] = (bright ? 180 : 20) + (state % 60);
  }
  return {
    name: "bands",
    channels: 1,
    height: 8,
    width: 8,
    classes: ["top", "middle", "bottom"],
    images,
    labels,
  };
}

const set = bands(96);
const feed = imageFeed({ training: set, validation: bands(30) }, { seed: 1, rows: 12, normalisation });

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

async function trainerOf(
  model: string,
  preset: string,
  change: Partial<ImageTrainerSpec> = {},
): Promise<ImageTrainer> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  return createImageTrainer({
    device,
    model: imagePreset(model).build(device, task, 1),
    policy: parsePolicy(preset),
    optimizer: preset === "fp32" ? optimizers.adamw : optimizers["lns-madam"],
    options: { lr: preset === "fp32" ? 0.01 : 0.05 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.01 },
    exemptEmbeddings: true,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 100,
    seed: 1,
    dropout: 0,
    gradientClip: null,
    ...change,
  });
}

async function steps(trainer: ImageTrainer, from: number, to: number): Promise<number[]> {
  const losses = [];
  for (let t = from; t <= to; t++) losses.push((await trainer.step(await feed.training(t), t)).loss);
  return losses;
}

describe.each(["mlp-mini", "convnet-mini", "resnet-mini", "vit-mini"])("%s", (model) => {
  it.each(["fp32", "lns-madam-8"])(
    "learns to tell bands apart in %s, in memory that stays",
    async (preset) => {
      const trainer = await trainerOf(model, preset);
      const { memory } = open[0].backend;
      const before = await trainer.evaluate(feed.validation());
      await steps(trainer, 1, 2);
      const { peakBytes } = memory;
      await steps(trainer, 3, 40);
      const after = await trainer.evaluate(feed.validation());
      expect(after.loss).toBeLessThan(0.8 * before.loss);
      expect(after.accuracy).toBeGreaterThan(0.6);
      expect(memory.peakBytes).toBe(peakBytes);
    },
  );
});

it("goes on bit for bit from a checkpoint, running statistics and all", async () => {
  const straight = await trainerOf("resnet-mini", "lns-madam-8");
  await steps(straight, 1, 3);
  const state = await snapshot(straight.tensors());
  expect(Object.keys(state)).toEqual(
    expect.arrayContaining(["bn1.running_mean", "layer2.0.bn2.running_var"]),
  );
  const resumed = await trainerOf("resnet-mini", "lns-madam-8");
  restore(resumed.tensors(), state);
  resumed.resume(3, straight.state);
  expect(await steps(resumed, 4, 6)).toEqual(await steps(straight, 4, 6));
  expect(await snapshot(resumed.tensors())).toEqual(await snapshot(straight.tensors()));
  expect(await resumed.evaluate(feed.validation())).toEqual(await straight.evaluate(feed.validation()));
});

it("keeps less for the backward pass in 8 bits", async () => {
  const kept = async (model: string, preset: string): Promise<number> => {
    const trainer = await trainerOf(model, preset);
    await steps(trainer, 1, 1);
    return trainer.memory.activations ?? Number.NaN;
  };
  expect(await kept("resnet-mini", "lns-madam-8")).toBeLessThan(0.6 * (await kept("resnet-mini", "fp32")));
  expect(await kept("vit-mini", "lns-madam-8")).toBeLessThan(0.6 * (await kept("vit-mini", "fp32")));
});

it("computes a batch in parts, to the same gradient", async () => {
  const options = { optimizer: optimizers.sgd, options: { lr: 0.1 } };
  const whole = await trainerOf("convnet-mini", "fp32", options);
  const parted = await trainerOf("convnet-mini", "fp32", { ...options, accumulate: 3 });
  await steps(whole, 1, 2);
  await steps(parted, 1, 2);
  for (const [i, { tensor }] of whole.model.parameters.entries()) {
    const [a, b] = [await readTensor(tensor), await readTensor(parted.model.parameters[i].tensor)];
    for (let j = 0; j < a.length; j++) expect(Math.abs(a[j] - b[j])).toBeLessThan(1e-5);
  }
  const batch = trainingImages(set, { seed: 1, step: 1, rows: 10, normalisation });
  await expect(parted.step(batch, 3)).rejects.toThrow(/10 does not divide into 3/);
});

it("trains against smoothed and mixed labels, and is judged by the plain ones", async () => {
  const batch = trainingImages(set, { seed: 1, step: 1, rows: 12, normalisation, mixup: 0.4 });
  expect(batch.mixture).not.toBeNull();
  const plain = await trainerOf("mlp-mini", "fp32");
  const smooth = await trainerOf("mlp-mini", "fp32", { labelSmoothing: 0.2 });
  expect(await smooth.evaluate(feed.validation())).toEqual(await plain.evaluate(feed.validation()));
  const { loss } = await plain.step(batch, 1);
  expect((await smooth.step(batch, 1)).loss).not.toBe(loss);
  expect((await plain.step({ ...batch, mixture: null }, 2)).loss).not.toBe(loss);
});

it("counts which classes are taken for which", async () => {
  const trainer = await trainerOf("mlp-mini", "fp32");
  const validation = bands(31);
  const how = { policy: parsePolicy("fp32"), seed: 1, normalisation, mistakes: 5 };
  const judged = { ...validation, batches: orderedImages(validation, 8, normalisation) };
  const report = await judgeImages(open[0], trainer.model, judged, how);
  const right = report.confusion.reduce((sum, row, i) => sum + row[i], 0);
  const { accuracy } = await trainer.evaluate(imageFeed({ training: set, validation }, { seed: 1, rows: 8, normalisation }).validation());
  expect(right / 31).toBe(accuracy);
  expect(report.confusion.map((row) => row.reduce((a, b) => a + b, 0))).toEqual([11, 10, 10]);
  expect(report.mistakes).toHaveLength(5);
  for (const { label, found, probability } of report.mistakes) {
    expect(label).not.toBe(found);
    expect(probability).toBeGreaterThan(1 / 3);
  }
  const shown = Uint8Array.from(atob(report.mistakes[0].pixels), (c) => c.charCodeAt(0));
  const images = Array.from(validation.labels, (_, i) => validation.images.subarray(64 * i, 64 * (i + 1)).join());
  expect(images).toContain(shown.join());
}); // prettier-ignore

it("takes the first of equal logits", () => {
  expect([...likeliest([1, 2, 2, 5, 4, 5], 3)]).toEqual([1, 0]);
});
