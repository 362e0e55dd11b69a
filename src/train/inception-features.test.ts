import { afterAll, expect, it } from "vitest";
import { inceptionCheckpoint } from "../../test/data/inception.ts";
import type { ImageSet } from "../data/image-set.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { InceptionV3 } from "../models/inception-v3.ts";
import { readInceptionV3 } from "../models/inception-weights.ts";
import { Device } from "../tensor/device.ts";
import { inceptionMoments, inceptionPixels } from "./inception-features.ts";

const device = new Device(await createWasmBackend({ threads: 1 }));
afterAll(() => device.close());

const set = (channels: number, count: number): ImageSet => ({
  name: "noise",
  channels,
  height: 4,
  width: 4,
  classes: ["one"],
  images: Uint8Array.from({ length: count * channels * 16 }, (_, i) => (i * 7919) % 256),
  labels: new Uint8Array(count),
});
const plane = 299 * 299;

it("scales bytes to -1 … 1, and repeats grey for each colour", () => {
  const one = { ...set(1, 2), images: Uint8Array.from({ length: 32 }, (_, i) => (i < 16 ? 0 : 255)) };
  const pixels = inceptionPixels(one, 0, 2);
  expect(pixels.length).toBe(2 * 3 * plane);
  expect(new Set(pixels.subarray(0, 3 * plane))).toEqual(new Set([-1]));
  expect(new Set(pixels.subarray(3 * plane))).toEqual(new Set([1]));
});

it("puts the planes of an image side by side, corners where they were", () => {
  const colour = set(3, 3);
  const pixels = inceptionPixels(colour, 1, 1);
  for (const c of [0, 1, 2]) {
    const corners = [0, 15].map((pixel) => (2 * colour.images[48 + 16 * c + pixel]) / 255 - 1);
    expect(pixels[c]).toBeCloseTo(corners[0], 6);
    expect(pixels[3 * (plane - 1) + c]).toBeCloseTo(corners[1], 6);
  }
});

it("gathers the same features in batches of any size, and tells how far it is", async () => {
  const model = new InceptionV3(device, readInceptionV3(inceptionCheckpoint({ variant: "fid", widthDivisor: 16 })));
  const told: number[] = [];
  const whole = await inceptionMoments(device, model, set(3, 3), { rows: 3 });
  const parts = await inceptionMoments(device, model, set(3, 3), { rows: 2, progress: (done) => told.push(done) });
  expect(told).toEqual([2, 3]);
  expect(whole.width).toBe(128);
  parts.mean.forEach((value, i) => expect(value).toBeCloseTo(whole.mean[i], 5));
  parts.covariance.forEach((value, i) => expect(value).toBeCloseTo(whole.covariance[i], 5));
  await expect(inceptionMoments(device, model, set(3, 0))).rejects.toThrow(/features of no images/);
  await expect(inceptionMoments(device, model, set(2, 1))).rejects.toThrow(/1 or 3 channels, not 2/);
  const signal = AbortSignal.abort(new Error("stop"));
  await expect(inceptionMoments(device, model, set(3, 1), { signal })).rejects.toThrow("stop");
  model.free();
}); // prettier-ignore
