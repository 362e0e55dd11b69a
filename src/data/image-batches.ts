/** Batches of labelled images: which images a step sees, and their pixels as the model takes them. */
import { philox4x32 } from "../random/philox.ts";
import { streamKey } from "../random/stream.ts";
import { augmented, type Augmentation } from "./augment.ts";
import { imageBytes, type ImageSet, type Normalisation } from "./image-set.ts";

export interface ImageBatch {
  readonly rows: number;
  /** [rows · height · width, channels], normalised. */
  readonly pixels: Float32Array;
  /** Class of each image; of the second image of each mixture too where images are mixed. */
  readonly labels: Int32Array;
  readonly mixture: Mixture | null;
}

/** Mixup: image i is share · itself + (1 - share) · another; the loss is mixed likewise. */
export interface Mixture {
  readonly labels: Int32Array;
  readonly share: number;
}

export interface ImageBatchOptions {
  readonly seed: number;
  /** t = 1 for the first. */
  readonly step: number;
  readonly rows: number;
  readonly normalisation: Normalisation;
  readonly augmentation?: Augmentation;
  /** α of mixup's Beta(α, α) share; 0, the default, mixes nothing. */
  readonly mixup?: number;
}

/**
 * The images that a step sees: epoch e goes through its own permutation of the set, so each image comes once an epoch; the last,
 * incomplete batch of an epoch is left out.
 *
 * A pure function of seed and step: a resumed run goes on with the same images, batches may be made ahead and anywhere.
 */
export function epochIndices(count: number, seed: number, step: number, rows: number): Int32Array {
  const perEpoch = Math.max(1, Math.floor(count / rows));
  const epoch = Math.floor((step - 1) / perEpoch);
  const first = ((step - 1) % perEpoch) * rows;
  const order = permutation(count, seed, epoch);
  return Int32Array.from({ length: rows }, (_, i) => order[(first + i) % count]);
}

let lastPermutation: { count: number; seed: number; epoch: number; order: Int32Array } | null = null;

/** Fisher–Yates by the epoch's own stream; the last one is remembered. */
function permutation(count: number, seed: number, epoch: number): Int32Array {
  const last = lastPermutation;
  if (last && last.count === count && last.seed === seed && last.epoch === epoch) return last.order;
  const key = streamKey(seed, "image order", epoch, "permutation");
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const [word] = philox4x32([i, 0, 0, 0], key);
    const j = Math.floor((word / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  lastPermutation = { count, seed, epoch, order };
  return order;
}

/** The training batch of a step. */
export function trainingImages(set: ImageSet, options: ImageBatchOptions): ImageBatch {
  const { seed, step, rows, augmentation, normalisation, mixup = 0 } = options;
  const indices = epochIndices(set.labels.length, seed, step, rows);
  const size = imageBytes(set);
  const pixels = new Float32Array(rows * size);
  for (const [row, index] of indices.entries()) {
    const image = { ...set, pixels: normalised(set, index, normalisation) };
    const changed = augmentation
      ? augmented(image, augmentation, streamKey(seed, `image ${row}`, step, "augmentation"))
      : image;
    pixels.set(changed.pixels, row * size);
  }
  const labels = Int32Array.from(indices, (index) => set.labels[index]);
  return mixup > 0 ? mixed({ rows, pixels, labels, mixture: null }, size, mixup, seed, step) : { rows, pixels, labels, mixture: null };
} // prettier-ignore

/** Images in order, as they are, for evaluation; the last batch may have fewer. */
export function* orderedImages(
  set: ImageSet,
  rows: number,
  normalisation: Normalisation,
): Generator<ImageBatch, void, undefined> {
  const size = imageBytes(set);
  for (let first = 0; first < set.labels.length; first += rows) {
    const count = Math.min(rows, set.labels.length - first);
    const pixels = new Float32Array(count * size);
    for (let i = 0; i < count; i++) pixels.set(normalised(set, first + i, normalisation), i * size);
    yield { rows: count, pixels, labels: Int32Array.from(set.labels.subarray(first, first + count)), mixture: null };
  }
} // prettier-ignore

/** One image, planes made adjacent channels, (x / 255 - mean) / deviation; zero is then the mean colour. */
function normalised(set: ImageSet, index: number, { mean, deviation }: Normalisation): Float32Array {
  const { channels, height, width, images } = set;
  const plane = height * width;
  const start = index * channels * plane;
  const pixels = new Float32Array(channels * plane);
  for (let c = 0; c < channels; c++) {
    const scale = 1 / (255 * deviation[c]);
    const shift = mean[c] / deviation[c];
    for (let i = 0; i < plane; i++) pixels[i * channels + c] = images[start + c * plane + i] * scale - shift;
  }
  return pixels;
}

/** One share for the batch; image i is mixed with image i + 1. @source Zhang et al. 2018, mixup. */
export function mixed(
  batch: ImageBatch,
  size: number,
  alpha: number,
  seed: number,
  step: number,
): ImageBatch {
  const { rows, pixels, labels } = batch;
  const share = betaShare(alpha, streamKey(seed, "mixup", step, "share"));
  const blended = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++)
    blended[i] = share * pixels[i] + (1 - share) * pixels[(i + size) % pixels.length];
  const others = Int32Array.from(labels, (_, row) => labels[(row + 1) % rows]);
  return { rows, pixels: blended, labels, mixture: { labels: others, share } };
}

/** Beta(α, α) by Jöhnk's rejection: x = u^(1/α), y = v^(1/α), x / (x + y) when x + y ≤ 1. */
function betaShare(alpha: number, key: readonly [number, number]): number {
  for (let attempt = 0; ; attempt++) {
    const [a, b] = philox4x32([attempt, 0, 0, 0], key);
    const x = ((a + 0.5) / 2 ** 32) ** (1 / alpha);
    const y = ((b + 0.5) / 2 ** 32) ** (1 / alpha);
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}
