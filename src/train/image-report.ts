/** What a classifier gets wrong: which classes it takes for which, and the images it is surest about and wrong. */
import { orderedImages } from "../data/image-batches.ts";
import { imageBytes, type ImageSet, type Normalisation } from "../data/image-set.ts";
import type { ImageModel } from "../models/image-model.ts";
import { evaluationPass } from "../nn/pass.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { scoresOf } from "./image-trainer.ts";
import { likeliest } from "./likeliest.ts";
import type { ImageReport, Mistake } from "./run-summary.ts";

/** How images are judged. */
export interface JudgeOptions {
  readonly policy: Policy;
  readonly seed: number;
  /** Images a batch. */
  readonly rows: number;
  readonly normalisation: Normalisation;
  /** Stops at the next batch. */
  readonly signal?: AbortSignal;
  /** Most mistakes kept. Default 24. */
  readonly mistakes?: number;
}

/** A wrong class by its image's place in the set. */
interface Wrong extends Omit<Mistake, "pixels"> {
  readonly index: number;
}

/** Judges a model on a set of images. */
export async function judgeImages(
  device: Device,
  model: ImageModel,
  set: ImageSet,
  { policy, seed, rows, normalisation, signal, mistakes = 24 }: JudgeOptions,
): Promise<ImageReport> {
  const { classes, channels, height, width } = set;
  const confusion = classes.map(() => classes.map(() => 0));
  const wrong: Wrong[] = [];
  const pass = evaluationPass(policy, seed);
  let first = 0;
  for (const batch of orderedImages(set, rows, normalisation)) {
    if (signal?.aborted) break;
    const logits = await device.step(() =>
      device.tape.without(() => readTensor(scoresOf(device, model, batch, pass))),
    );
    for (const [i, found] of likeliest(logits, classes.length).entries()) {
      const label = batch.labels[i];
      confusion[label][found]++;
      const row = logits.subarray(i * classes.length, (i + 1) * classes.length);
      if (found !== label) wrong.push({ index: first + i, label, found, probability: topShare(row) });
    }
    first += batch.rows;
    await breathe();
  }
  const surest = wrong.toSorted((a, b) => b.probability - a.probability).slice(0, mistakes);
  const size = imageBytes(set);
  return {
    classes,
    channels,
    height,
    width,
    confusion,
    mistakes: surest.map(({ index, ...mistake }) => ({
      ...mistake,
      pixels: base64(set.images.subarray(index * size, (index + 1) * size)),
    })),
  };
}

/** The softmax's greatest probability. */
function topShare(logits: ArrayLike<number>): number {
  const values = Array.from(logits);
  const top = Math.max(...values);
  return 1 / values.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
}

const base64 = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
