import { afterEach, expect, it } from "vitest";
import { orderedImages } from "../data/image-batches.ts";
import type { ImageSet } from "../data/image-set.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { imagePreset, imagePresets } from "../models/image-presets.ts";
import { evaluationPass } from "../nn/pass.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { imageGrid } from "./gan-samples.ts";
import { featureMoments } from "./image-features.ts";
import { scoresOf } from "./image-trainer.ts";

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

const task = { channels: 3, height: 8, width: 8, classes: 4 };
const set: ImageSet = {
  ...task,
  name: "noise",
  classes: ["a", "b", "c", "d"],
  images: Uint8Array.from({ length: 6 * 192 }, (_, i) => (i * 7919) % 251),
  labels: new Uint8Array(6),
};
const minis = Object.keys(imagePresets).filter((name) => name.endsWith("-mini"));
const how = {
  policy: parsePolicy("fp32"),
  seed: 1,
  normalisation: { mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25] },
};

it.each(minis)("features of %s are what its last layer makes the logits of", async (name) => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  const model = imagePreset(name).build(device, task, 1);
  const moments = await featureMoments(device, model, set, { ...how, rows: 4 });
  const [weight, bias] = model.parameters.slice(-2);
  expect(weight.tensor.shape).toEqual([4, moments.width]);
  const [w, b] = [await readValues(weight.tensor), await readValues(bias.tensor)];
  const [batch] = orderedImages(set, 6, how.normalisation);
  const logits = await device.step(() =>
    device.tape.without(() => readValues(scoresOf(device, model, batch, evaluationPass(how.policy, 1)))),
  );
  // The layer is affine: it takes the mean of the features to the mean of the logits.
  for (let c = 0; c < 4; c++) {
    const wanted = [0, 1, 2, 3, 4, 5].reduce((sum, row) => sum + logits[row * 4 + c] / 6, 0);
    const found = moments.mean.reduce((sum, x, i) => sum + x * w[c * moments.width + i], b[c]);
    expect(found).toBeCloseTo(wanted, 4);
  }
});

it("lays images out row by row, planes kept apart", () => {
  const images = Uint8Array.of(1, 2, 11, 12, 3, 4, 13, 14, 5, 6, 15, 16); // three of two channels, 1×2 pixels
  const { height, width, pixels } = imageGrid(images, { channels: 2, height: 1, width: 2 }, 2);
  expect([height, width]).toEqual([4, 6]);
  const gap = 96;
  const plane = [
    [1, 2, gap, gap, 3, 4],
    [gap, gap, gap, gap, gap, gap],
    [gap, gap, gap, gap, gap, gap],
    [5, 6, gap, gap, gap, gap],
  ];
  const other = plane.map((row) => row.map((value) => (value === gap ? gap : value + 10)));
  expect([...pixels]).toEqual([...plane, ...other].flat());
});
