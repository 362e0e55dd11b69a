/** Images that a generator makes, as bytes, and pictures of many of them. */
import type { GanModel } from "../models/gan.ts";
import { evaluationPass } from "../nn/pass.ts";
import type { Policy } from "../precision/policy.ts";
import { streamKey } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { noiseOf } from "./gan-trainer.ts";

/** How images are made. */
export interface MakeOptions {
  readonly policy: Policy;
  /** Of the noise, and of roundings where the policy has random ones. */
  readonly seed: number;
  /** Images at a time; default 100. */
  readonly rows?: number;
  /** Throws its reason at the next images. */
  readonly signal?: AbortSignal;
}

/** An image as bytes, plane after plane: [channels, height, width]. */
export interface ByteImage {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Uint8Array;
}

/**
 * One image of each label, by running statistics: bytes [images, channels, height, width], -1 being 0 and 1 being 255.
 *
 * Image i depends on the seed, its label and i alone, except where a policy gives a batch's activations one scale.
 */
export async function makeImages(
  device: Device,
  model: GanModel,
  labels: Int32Array,
  { policy, seed, rows = 100, signal }: MakeOptions,
): Promise<Uint8Array> {
  const { channels, height, width } = model.task;
  const size = channels * height * width;
  const pass = evaluationPass(policy, seed);
  const noise = noiseOf(streamKey(seed, "samples", 0, "noise"), labels.length, model.latent);
  const bytes = new Uint8Array(labels.length * size);
  for (let first = 0; first < labels.length; first += rows) {
    signal?.throwIfAborted();
    const last = Math.min(labels.length, first + rows);
    const part = noise.subarray(first * model.latent, last * model.latent);
    const values = await device.step(() =>
      device.tape.without(() => readValues(model.generate(part, labels.subarray(first, last), pass))),
    );
    for (let i = 0; i < last - first; i++)
      bytes.set(planes(values.subarray(i * size, (i + 1) * size), channels), (first + i) * size);
    await breathe();
  }
  return bytes;
}

/** From adjacent channels, -1 to 1, to planes of bytes. */
function planes(values: ArrayLike<number>, channels: number): Uint8Array {
  const plane = values.length / channels;
  return Uint8Array.from({ length: values.length }, (_, i) => {
    const value = values[(i % plane) * channels + Math.floor(i / plane)];
    return Math.round(255 * Math.min(1, Math.max(0, (value + 1) / 2)));
  });
}

/** Pixels between two images of a grid, and what they show: neither black nor white. */
const GAP = 2;
const GAP_VALUE = 96;

/** Images beside and under each other, row by row. @param images  bytes [images, channels, height, width] */
export function imageGrid(images: Uint8Array, shape: Omit<ByteImage, "pixels">, columns: number): ByteImage {
  const { channels, height, width } = shape;
  const count = images.length / (channels * height * width);
  const rows = Math.ceil(count / columns);
  const [high, wide] = [rows * (height + GAP) - GAP, columns * (width + GAP) - GAP];
  const pixels = new Uint8Array(channels * high * wide).fill(GAP_VALUE);
  for (let i = 0; i < count; i++) {
    const [top, left] = [Math.floor(i / columns) * (height + GAP), (i % columns) * (width + GAP)];
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < height; y++) {
        const from = ((i * channels + c) * height + y) * width;
        pixels.set(images.subarray(from, from + width), (c * high + top + y) * wide + left);
      }
  }
  return { channels, height: high, width: wide, pixels };
}

/** A grid of made images: a row for each class. */
export async function sampleGrid(
  device: Device,
  model: GanModel,
  columns: number,
  options: MakeOptions,
): Promise<ByteImage> {
  const { classes } = model.task;
  const labels = Int32Array.from({ length: classes * columns }, (_, i) => Math.floor(i / columns));
  return imageGrid(await makeImages(device, model, labels, options), model.task, columns);
}
