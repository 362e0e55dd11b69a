/** Scoring a GAN: the discriminator's loss, and how far made images are from real ones to a network that looks at them. */
import { orderedImages } from "../src/data/image-batches.ts";
import { firstImages, type ImageSet } from "../src/data/image-set.ts";
import { frechetDistance } from "../src/train/frechet-distance.ts";
import { makeImages } from "../src/train/gan-samples.ts";
import { ganNormalisation } from "../src/train/gan-trainer.ts";
import { UsageError } from "./errors.ts";
import type { ImageJudge, JudgeContext, JudgeDescription } from "./image-judge.ts";
import { loadImages } from "./image-sets.ts";
import { openJudge } from "./open-judge.ts";
import type { GanSession } from "./session.ts";

/** Fréchet distances in a network's features. */
export interface FrechetScore extends JudgeDescription {
  /** Images of each kind. */
  readonly images: number;
  /** Between images made of the test images' classes and the test images. */
  readonly distance: number;
  /** Between as many training images and the test images: what a generator of real images would come to. */
  readonly ofTrainingImages: number;
}

export interface GanScore {
  /** The discriminator's hinge loss on test images and made ones. */
  readonly loss: number;
  readonly images: number;
  readonly frechet?: FrechetScore;
}

/** What to compare with what. */
export interface Comparison {
  /** A run of a classifier, or a checkpoint of Inception-v3. */
  readonly features: string;
  /** How many test images, the first ones; default all. */
  readonly images: number | undefined;
}

/**
 * Scores a GAN on all test images.
 *
 * @param comparison  default none: no distance.
 * @throws UsageError for a run of another task or of images of another size, or more images than there are; what
 *   reading a checkpoint throws.
 */
export async function scoreGan(
  session: GanSession,
  comparison: Comparison | undefined,
  context: JudgeContext,
): Promise<GanScore> {
  const { name, dir } = session.config.data;
  const set = await loadImages(name, dir, "test");
  if (comparison === undefined) return discriminatorScore(session, set, context);
  const compared = partOf(set, comparison.images);
  const judge = await openJudge(comparison.features, session, context);
  try {
    const score = await discriminatorScore(session, set, context);
    return { ...score, frechet: await frechetScore(session, judge, compared, context) };
  } finally {
    await judge.close();
  }
}

async function discriminatorScore(
  { config, trainer }: GanSession,
  set: ImageSet,
  { signal }: JudgeContext,
): Promise<GanScore> {
  const batches = orderedImages(set, config.batch, ganNormalisation(set.channels));
  const { loss } = await trainer.evaluate(interruptible(batches, signal));
  return { loss, images: set.labels.length };
}

function partOf(set: ImageSet, count = set.labels.length): ImageSet {
  const all = set.labels.length;
  if (count >= 2 && count <= all) return firstImages(set, count);
  throw new UsageError(`--images is ${count}, wants 2 to ${all}, which ${set.name} has`);
}

async function frechetScore(
  { config, device, policy, trainer }: GanSession,
  judge: ImageJudge,
  real: ImageSet,
  { signal }: JudgeContext,
): Promise<FrechetScore> {
  const { name, dir } = config.data;
  const labels = Int32Array.from(real.labels);
  const images = await trainer.evaluating(() =>
    makeImages(device, trainer.model, labels, { policy, seed: config.seed, signal }),
  );
  const training = await loadImages(name, dir, "train");
  const others = firstImages(training, Math.min(training.labels.length, labels.length));
  const ofReal = await judge.moments(real, "test images");
  const ofMade = await judge.moments({ ...real, images }, "made images");
  const ofTraining = await judge.moments(others, "training images");
  return {
    ...judge.description,
    images: labels.length,
    distance: await frechetDistance(ofMade, ofReal, signal),
    ofTrainingImages: await frechetDistance(ofTraining, ofReal, signal),
  };
}

/** For people. */
export function ganScoreLine({ loss, images, frechet }: GanScore, step: number): string {
  return `discriminator loss ${loss.toFixed(4)}${frechet ? distanceText(frechet) : ""} (step ${step}, ${images} images)\n`;
}

function distanceText({ measure, network, images, distance, ofTrainingImages }: FrechetScore): string {
  return (
    `, ${measure} (features of ${network}; ${images} images of each kind) ` +
    `${distance.toFixed(3)}, of training images ${ofTrainingImages.toFixed(3)}`
  );
}

function* interruptible<T>(items: Iterable<T>, signal: AbortSignal): Generator<T, void, undefined> {
  for (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}
