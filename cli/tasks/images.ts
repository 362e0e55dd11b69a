/** Training a classifier of labelled images. */
import type { BatchPlan } from "../../src/data/batch-maker.ts";
import { firstImages, type ImageSet, type Normalisation } from "../../src/data/image-set.ts";
import { sha256 } from "../../src/io/sha256.ts";
import { judgeImages } from "../../src/train/image-report.ts";
import { imageFeed } from "../../src/train/image-feed.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import type { ImagesConfig } from "../config/resolve.ts";
import { imageSets, loadImages } from "../image-sets.ts";
import { openImages, type ImagesSession } from "../session.ts";
import type { Prepared, Work } from "./work.ts";

/** The parts of a set that a configuration works with. */
export interface ImageParts {
  readonly training: ImageSet;
  readonly validation: ImageSet;
}

/** So many of a set's images, 0 being all. */
export const orAll = (limit: number, { labels }: ImageSet): number =>
  limit === 0 ? labels.length : Math.min(limit, labels.length);

/** The set's test part, as far as validations go. @throws DataError and what reading throws. */
export async function loadTestImages({ data, evaluate }: ImagesConfig): Promise<ImageSet> {
  const set = await loadImages(data.name, data.dir, "test");
  return firstImages(set, orAll(evaluate.images, set));
}

/** The sum of images and labels. */
export const imagesDigest = ({ images, labels }: ImageSet): Promise<string> => sha256([images, labels]);

/** Reads the images. @throws DataError and what reading throws. */
export async function prepareImages(config: ImagesConfig): Promise<Prepared> {
  const { data } = config;
  const whole = await loadImages(data.name, data.dir, "train");
  const training = firstImages(whole, orAll(data.limit, whole));
  const parts = { training, validation: await loadTestImages(config) };
  const open = async (): Promise<Work> => workOf(await openImages(config), parts);
  return { name: training.name, sha256: await imagesDigest(training), tokenizerFiles: {}, open };
}

/** The configuration's, or the set's own. */
export function normalisationOf({ data }: ImagesConfig): Normalisation {
  const { mean, deviation } = imageSets[data.name].normalisation;
  return { mean: data.mean ?? mean, deviation: data.deviation ?? deviation };
}

function batchOptions(config: ImagesConfig): BatchPlan {
  const { seed, batch, data } = config;
  const { crop, flip, rotation, mixup } = data;
  const changes = crop > 0 || flip || rotation > 0;
  return {
    seed,
    rows: batch,
    normalisation: normalisationOf(config),
    mixup,
    ...(changes ? { augmentation: { cropPadding: crop, flip, rotation } } : {}),
  };
}

function workOf(session: ImagesSession, parts: ImageParts): Work {
  const { config, trainer } = session;
  const { training, validation } = parts;
  const { channels, height, width, classes, labels } = training;
  const feed = imageFeed(parts, { ...batchOptions(config), lastStep: config.steps });
  const changes = ["crop", "flip", "rotation", "mixup"] as const;
  const used = changes.filter((name) => config.data[name]);
  return {
    session,
    sizes: `${height}×${width} pixels, ${channels} channel${channels > 1 ? "s" : ""}, ${classes.length} classes`,
    data:
      `images   ${config.data.name}, ${labels.length} to train and ${validation.labels.length} to validate` +
      (used.length > 0 ? `, changed by ${used.join(", ")}` : ""),
    loop: (options) => trainingLoop({ ...options, trainer, feed }).finally(() => feed.close()),
    figures: ({ validation: found, rate }) => ({
      validation: { loss: found?.loss ?? Number.NaN, accuracy: found?.accuracy ?? Number.NaN },
      samplesPerSecond: rate,
    }),
    show: async (signal) => ({ sample: null, images: await shown(session, validation, signal) }),
  };
}

/** Mistakes on the validation images, and which classes are taken for which. */
function shown({ device, policy, config, trainer }: ImagesSession, set: ImageSet, signal: AbortSignal) {
  const { seed, batch } = config;
  const how = { policy, seed, rows: batch, normalisation: normalisationOf(config), signal };
  return judgeImages(device, trainer.model, set, how);
}
