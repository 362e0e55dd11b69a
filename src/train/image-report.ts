/** What a classifier gets wrong: which classes it takes for which, and the images it is surest about and wrong. */
import type { ImageBatch } from "../data/image-batches.ts";
import type { ImageSet, Normalisation } from "../data/image-set.ts";
import type { ImageModel } from "../models/image-model.ts";
import { evaluationPass } from "../nn/pass.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { base64 } from "./base64.ts";
import { breathe } from "./breathe.ts";
import { scoresOf } from "./image-trainer.ts";
import { likeliest } from "./likeliest.ts";
import type { ImageReport, Mistake } from "./run-summary.ts";

/** How images are judged. */
export interface JudgeOptions {
  readonly policy: Policy;
  readonly seed: number;
  /** Of the batches' pixels. */
  readonly normalisation: Normalisation;
  /** Stops at the next batch. */
  readonly signal?: AbortSignal;
  /** Most mistakes kept. Default 24. */
  readonly mistakes?: number;
}

/** Images to judge: what they are, and their batches in order. */
export interface JudgedImages extends Pick<ImageSet, "classes" | "channels" | "height" | "width"> {
  readonly batches: Iterable<ImageBatch> | AsyncIterable<ImageBatch>;
}

/** A wrong class and the image's pixels, normalised. */
interface Wrong extends Omit<Mistake, "pixels"> {
  readonly pixels: Float32Array;
}

/** Judges a model on images. */
export async function judgeImages(
  device: Device,
  model: ImageModel,
  { classes, channels, height, width, batches }: JudgedImages,
  { policy, seed, normalisation, signal, mistakes = 24 }: JudgeOptions,
): Promise<ImageReport> {
  const confusion = classes.map(() => classes.map(() => 0));
  let wrong: Wrong[] = [];
  const pass = evaluationPass(policy, seed);
  const size = channels * height * width;
  for await (const batch of batches) {
    if (signal?.aborted) break;
    const logits = await device.step(() =>
      device.tape.without(() => readTensor(scoresOf(device, model, batch, pass))),
    );
    for (const [i, found] of likeliest(logits, classes.length).entries()) {
      const label = batch.labels[i];
      confusion[label][found]++;
      const row = logits.subarray(i * classes.length, (i + 1) * classes.length);
      if (found === label) continue;
      const pixels = batch.pixels.slice(i * size, (i + 1) * size);
      wrong.push({ label, found, probability: topShare(row), pixels });
    }
    wrong = wrong.toSorted((a, b) => b.probability - a.probability).slice(0, mistakes);
    await breathe();
  }
  return {
    classes,
    channels,
    height,
    width,
    confusion,
    mistakes: wrong.map((mistake) => ({
      ...mistake,
      pixels: base64(displayBytes(mistake.pixels, channels, normalisation)),
    })),
  };
}

/** The softmax's greatest probability. */
function topShare(logits: ArrayLike<number>): number {
  const values = Array.from(logits);
  const top = Math.max(...values);
  return 1 / values.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
}

/** Bytes [channels, height, width] of normalised pixels [height, width, channels]. */
export function displayBytes(
  pixels: Float32Array,
  channels: number,
  { mean, deviation }: Normalisation,
): Uint8Array {
  const places = pixels.length / channels;
  return Uint8Array.from({ length: pixels.length }, (_, i) => {
    const c = Math.floor(i / places);
    const value = 255 * (pixels[(i % places) * channels + c] * deviation[c] + mean[c]);
    return Math.max(0, Math.min(255, Math.round(value)));
  });
}
