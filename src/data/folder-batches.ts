/** Batches of images that lie in folders, decoded as they are needed. Node only. */
import { streamKey } from "../random/stream.ts";
import { augmented } from "./augment.ts";
import type { Image } from "./image.ts";
import { epochIndices, type ImageBatch, type ImageBatchOptions, mixed } from "./image-batches.ts";
import { type ImageDecoder, type ImageFolder, readImage } from "./image-folder.ts";
import type { Normalisation } from "./image-set.ts";
import { fitted } from "./scale.ts";

/**
 * The training batch of a step, as `trainingImages` makes it of a set in memory. A random resized crop is cut from the whole image;
 * without one the middle is taken.
 *
 * @throws as {@link readImage}.
 */
export async function trainingFolderImages(
  folder: ImageFolder,
  options: ImageBatchOptions,
  decode: ImageDecoder,
): Promise<ImageBatch> {
  const { seed, step, rows, augmentation = {}, normalisation, mixup = 0 } = options;
  const indices = epochIndices(folder.files.length, seed, step, rows);
  const batch = await folderBatch(folder, indices, normalisation, decode, (image, row) =>
    augmented(image, augmentation, streamKey(seed, `image ${row}`, step, "augmentation"), folder),
  );
  return mixup > 0 ? mixed(batch, folder.height * folder.width * folder.channels, mixup, seed, step) : batch;
}

/** Images in order, for evaluation: the middle of each at the folder's size; the last batch may have fewer. */
export async function* orderedFolderImages(
  folder: ImageFolder,
  rows: number,
  normalisation: Normalisation,
  decode: ImageDecoder,
): AsyncGenerator<ImageBatch, void, undefined> {
  for (let number = 1; number <= orderedBatches(folder, rows); number++)
    yield orderedFolderBatch(folder, { step: number, rows, normalisation }, decode);
}

/** Batches that all of a folder's images make. */
export const orderedBatches = ({ files }: ImageFolder, rows: number): number =>
  Math.ceil(files.length / rows);

/** One of the batches of {@link orderedFolderImages}: `step` is its number, from 1. */
export function orderedFolderBatch(
  folder: ImageFolder,
  { step, rows, normalisation }: Pick<ImageBatchOptions, "step" | "rows" | "normalisation">,
  decode: ImageDecoder,
): Promise<ImageBatch> {
  const first = (step - 1) * rows;
  const count = Math.min(rows, folder.files.length - first);
  const indices = Int32Array.from({ length: count }, (_, i) => first + i);
  const { height, width, share } = folder;
  return folderBatch(folder, indices, normalisation, decode, (image) => fitted(image, height, width, share));
}

async function folderBatch(
  folder: ImageFolder,
  indices: Int32Array,
  normalisation: Normalisation,
  decode: ImageDecoder,
  change: (image: Image, row: number) => Image,
): Promise<ImageBatch> {
  const size = folder.height * folder.width * folder.channels;
  const pixels = new Float32Array(indices.length * size);
  for (const [row, index] of indices.entries()) {
    const image = normalised(await readImage(folder.files[index], decode), normalisation);
    pixels.set(change(image, row).pixels, row * size);
  }
  const labels = Int32Array.from(indices, (index) => folder.labels[index]);
  return { rows: indices.length, pixels, labels, mixture: null };
}

/** (x - mean) / deviation by channel: zero, with which crops are padded, is then the mean colour. */
function normalised(image: Image, { mean, deviation }: Normalisation): Image {
  const { channels } = image;
  const pixels = image.pixels.map((value, i) => (value - mean[i % channels]) / deviation[i % channels]);
  return { ...image, pixels };
}
