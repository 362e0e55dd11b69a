/** Labelled images of one size, as bytes. */
import { DataError } from "./data-error.ts";

/** Part of a data set. */
export type ImageSplit = "train" | "test";

/** Images [count, channels, height, width] as bytes 0 to 255, and the class of each. */
export interface ImageSet {
  /** What to call it in messages: the data set's name and its part. */
  readonly name: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Names of the classes, by label. */
  readonly classes: readonly string[];
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** How many images each class has. */
export function classCounts({ classes, labels }: Pick<ImageSet, "classes" | "labels">): number[] {
  const counts = classes.map(() => 0);
  for (const label of labels) counts[label]++;
  return counts;
}

/** Mean and deviation of each channel, of pixels scaled to 0 … 1. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Bytes of one image. */
export const imageBytes = ({ channels, height, width }: ImageSet): number => channels * height * width;

/**
 * Checks that images and labels belong together.
 *
 * @throws DataError when counts differ, there are none, or a label has no class.
 */
export function checkImageSet(set: ImageSet): ImageSet {
  const { images, labels, classes, name } = set;
  const count = images.length / imageBytes(set);
  if (labels.length === 0) throw new DataError(name, "holds no images");
  if (count !== labels.length)
    throw new DataError(name, `${count} images but ${labels.length} labels: do the files belong together?`);
  const wrong = labels.findIndex((label) => label >= classes.length);
  if (wrong >= 0) {
    throw new DataError(name, `label ${labels[wrong]} of image ${wrong}, wants 0 to ${classes.length - 1}`);
  }
  return set;
}

/** The first `count` images of a set: views, not copies. */
export function firstImages(set: ImageSet, count: number): ImageSet {
  const size = imageBytes(set);
  return { ...set, images: set.images.subarray(0, count * size), labels: set.labels.subarray(0, count) };
}
