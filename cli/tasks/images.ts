/** Training a classifier of labelled images. */
import { orderedImages } from "../../src/data/image-batches.ts";
import { firstImages, type ImageSet } from "../../src/data/image-set.ts";
import { sha256 } from "../../src/io/sha256.ts";
import { judgeImages } from "../../src/train/image-report.ts";
import { imageFeed } from "../../src/train/image-feed.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import { attentionToImages } from "../attention/images.ts";
import type { ImagesConfig } from "../config/resolve.ts";
import { imageFolderName, loadImages } from "../image-sets.ts";
import { imageTaskOf, openImages, type ImagesSession } from "../session.ts";
import { prepareImageFolder } from "./image-folder.ts";
import { changesOf, imageFigures, normalisationOf, planOf, sizesOf } from "./image-lines.ts";
import type { Prepared, Shown, Work } from "./work.ts";

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

/**
 * Reads the images.
 *
 * @param classes  of a run on a folder that goes on.
 * @throws DataError and what reading throws.
 */
export async function prepareImages(config: ImagesConfig, classes?: readonly string[]): Promise<Prepared> {
  const { data } = config;
  if (data.name === imageFolderName) return prepareImageFolder(config, classes);
  const whole = await loadImages(data.name, data.dir, "train");
  const training = firstImages(whole, orAll(data.limit, whole));
  const parts = { training, validation: await loadTestImages(config) };
  const open = async (): Promise<Work> => workOf(await openImages(config, imageTaskOf(config)), parts);
  return { name: training.name, sha256: await imagesDigest(training), tokenizerFiles: {}, open };
}

function workOf(session: ImagesSession, parts: ImageParts): Work {
  const { config, trainer } = session;
  const { training, validation } = parts;
  const feed = imageFeed(parts, { ...planOf(config), lastStep: config.steps });
  return {
    session,
    sizes: sizesOf(training),
    data:
      `images   ${config.data.name}, ${training.labels.length} to train and ${validation.labels.length} to validate` +
      changesOf(config),
    loop: (options) => trainingLoop({ ...options, trainer, feed }).finally(() => feed.close()),
    figures: imageFigures,
    show: async (signal) => ({ sample: null, ...(await shown(session, validation, signal)) }),
  };
}

/** Mistakes on the validation images, which classes are taken for which, and what a transformer looks at. */
async function shown(
  session: ImagesSession,
  set: ImageSet,
  signal: AbortSignal,
): Promise<Omit<Shown, "sample">> {
  const { device, policy, config, trainer } = session;
  const { seed, batch } = config;
  const normalisation = normalisationOf(config);
  const inOrder = () => ({ ...set, batches: orderedImages(set, batch, normalisation) });
  const how = { policy, seed, normalisation, signal };
  return {
    images: await judgeImages(device, trainer.model, inOrder(), how),
    ...(await attentionToImages(session, inOrder())),
  };
}
