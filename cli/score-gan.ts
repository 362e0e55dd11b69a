/** Scoring a GAN: the discriminator's loss, and how far made images are from real ones to a classifier. */
import { basename } from "node:path";
import { orderedImages } from "../src/data/image-batches.ts";
import { firstImages, type ImageSet } from "../src/data/image-set.ts";
import { frechetDistance } from "../src/train/frechet-distance.ts";
import { makeImages } from "../src/train/gan-samples.ts";
import { ganNormalisation } from "../src/train/gan-trainer.ts";
import { featureMoments } from "../src/train/image-features.ts";
import { UsageError } from "./errors.ts";
import { loadImages } from "./image-sets.ts";
import { openRun } from "./open-run.ts";
import { imageTaskOf, type GanSession, type ImagesSession } from "./session.ts";
import { normalisationOf } from "./tasks/image-lines.ts";

/** Fréchet distances in the features of a classifier; no FID, whose features are Inception's. */
export interface FrechetScore {
  /** The classifier's run, and the step of its checkpoint. */
  readonly features: string;
  readonly step: number;
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

/**
 * Scores a GAN on all test images.
 *
 * @param classifier  run of a classifier of images of the same size; default none: no distance.
 * @throws UsageError for a run of another task, or of images of another size.
 */
export async function scoreGan(
  session: GanSession,
  classifier: string | undefined,
  signal: AbortSignal,
): Promise<GanScore> {
  const { config, trainer } = session;
  const { name, dir } = config.data;
  const set = await loadImages(name, dir, "test");
  const batches = orderedImages(set, config.batch, ganNormalisation(set.channels));
  const { loss } = await trainer.evaluate(interruptible(batches, signal));
  const score = { loss, images: set.labels.length };
  if (classifier === undefined) return score;
  const opened = await openRun(classifier, undefined);
  try {
    if (opened.task !== "images")
      throw new UsageError(`--features wants a run of a classifier of images, "${classifier}" learns ${opened.task}`);
    expectSameSize(session, opened);
    const frechet = await frechetScore(session, opened, set, signal);
    return { ...score, frechet: { features: classifier, step: opened.position.step, ...frechet } };
  } finally {
    await opened.close();
  }
} // prettier-ignore

function expectSameSize({ config }: GanSession, classifier: ImagesSession): void {
  const shapes = [config, classifier.config].map((each) => {
    const { channels, height, width } = imageTaskOf(each);
    return `${channels}×${height}×${width}`;
  });
  if (shapes[0] !== shapes[1])
    throw new UsageError(`--features: the classifier takes images of ${shapes[1]}, the GAN makes ${shapes[0]}`);
} // prettier-ignore

async function frechetScore(
  { config, device, policy, trainer }: GanSession,
  classifier: ImagesSession,
  real: ImageSet,
  signal: AbortSignal,
): Promise<{ readonly distance: number; readonly ofTrainingImages: number }> {
  const { name, dir } = config.data;
  const labels = Int32Array.from(real.labels);
  const images = await trainer.evaluating(() =>
    makeImages(device, trainer.model, labels, { policy, seed: config.seed, signal }),
  );
  const training = await loadImages(name, dir, "train");
  const count = Math.min(training.labels.length, real.labels.length);
  const moments = (set: ImageSet) => momentsOf(classifier, set, signal);
  const ofReal = await moments(real);
  return {
    distance: frechetDistance(await moments({ ...real, images }), ofReal),
    ofTrainingImages: frechetDistance(await moments(firstImages(training, count)), ofReal),
  };
}

function momentsOf(session: ImagesSession, set: ImageSet, signal: AbortSignal) {
  const { config, device, policy, trainer } = session;
  const { seed, batch } = config;
  const how = { policy, seed, rows: batch, normalisation: normalisationOf(config), signal };
  return trainer.evaluating(async () => {
    const { mean, covariance } = await featureMoments(device, trainer.model, set, how);
    return { mean, covariance };
  });
}

/** For people. */
export function ganScoreLine({ loss, images, frechet }: GanScore, step: number): string {
  const distance =
    frechet === undefined
      ? ""
      : `, Fréchet distance (features of ${basename(frechet.features)}, step ${frechet.step}) ` +
        `${frechet.distance.toFixed(3)}, of training images ${frechet.ofTrainingImages.toFixed(3)}`;
  return `discriminator loss ${loss.toFixed(4)}${distance} (step ${step}, ${images} images)\n`;
}

function* interruptible<T>(items: Iterable<T>, signal: AbortSignal): Generator<T, void, undefined> {
  for (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}
