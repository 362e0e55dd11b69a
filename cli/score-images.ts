/** The images that a run is scored on. */
import type { ImageBatch } from "../src/data/image-batches.ts";
import { orderedImages } from "../src/data/image-batches.ts";
import { type ImageFolder, openImageFolder } from "../src/data/image-folder.ts";
import { orderedFolderAhead } from "../src/train/folder-feed.ts";
import { folderSizes } from "./config/images.ts";
import type { ImagesConfig } from "./config/resolve.ts";
import { UsageError } from "./errors.ts";
import { decoding, openFolders } from "./image-folders.ts";
import { imageFolderName } from "./image-sets.ts";
import { keptClasses } from "./kept-classes.ts";
import type { ImagesSession } from "./session.ts";
import { normalisationOf, planOf } from "./tasks/image-lines.ts";
import { loadTestImages } from "./tasks/images.ts";

/** Images in batches, and what they are called. */
interface ToScore {
  readonly name: string;
  readonly images: number;
  readonly batches: Iterable<ImageBatch> | AsyncIterable<ImageBatch>;
}

/**
 * All images of a set's test part, or of what a run on a folder validates on, however few its validations took.
 *
 * @param run    its folder.
 * @param other  a folder of images in place of the run's, of its classes.
 * @throws UsageError for another folder in place of a set, and what reading throws.
 */
export async function imagesToScore(
  { config }: ImagesSession,
  run: string,
  other: string | undefined,
): Promise<ToScore> {
  const whole = { ...config, evaluate: { ...config.evaluate, images: 0 } };
  if (config.data.name === imageFolderName) {
    const folder = await folderToScore(whole, run, other);
    const batches = orderedFolderAhead(folder, planOf(config), decoding());
    return { name: folder.name, images: folder.files.length, batches };
  }
  if (other !== undefined)
    throw new UsageError(
      "a run on a set of images is scored on its test part; --data names a text or a folder",
    );
  const set = await loadTestImages(whole);
  const batches = orderedImages(set, config.batch, normalisationOf(config));
  return { name: set.name, images: set.labels.length, batches };
}

async function folderToScore(
  config: ImagesConfig,
  run: string,
  other: string | undefined,
): Promise<ImageFolder> {
  const classes = await keptClasses(run);
  if (other !== undefined) return openImageFolder(other, { ...folderSizes(config.data), classes });
  return (await openFolders(config, classes)).validation;
}
