/** Where the batches of images come from. Node only. */
import type { BatchPlan } from "../data/batch-maker.ts";
import { imageBatchesAhead } from "../data/batches-ahead.ts";
import { orderedImages, trainingImages, type ImageBatch } from "../data/image-batches.ts";
import { firstImages, type ImageSet } from "../data/image-set.ts";
import type { Feed } from "./task.ts";

/** How batches are made, and how many. */
export interface ImageFeedOptions extends BatchPlan {
  /** Most images of a validation; default all. */
  readonly limit?: number;
  /** The run's last step: no batch is made for those after it. Default none. */
  readonly lastStep?: number;
}

/** Batches of images, and the thread that makes them. */
export interface ImageFeed extends Feed<ImageBatch> {
  close(): Promise<void>;
}

/**
 * Epochs of training images in random order, changed as told; the validation set in order, as it is. Close it when done.
 *
 * Batches that are changed are made by a thread of their own, ahead of the step; where pixels are only scaled that would take longer
 * than making them.
 */
export function imageFeed(
  { training, validation }: { readonly training: ImageSet; readonly validation: ImageSet },
  { limit = validation.labels.length, lastStep, ...plan }: ImageFeedOptions,
): ImageFeed {
  const { rows, normalisation, augmentation, mixup = 0 } = plan;
  const judged = firstImages(validation, Math.min(limit, validation.labels.length));
  const changed = augmentation !== undefined || mixup > 0;
  const ahead = changed
    ? imageBatchesAhead({ kind: "set", set: training }, plan, lastStep === undefined ? {} : { lastStep })
    : null;
  return {
    unit: "samples",
    perStep: rows,
    training: (step) => (ahead ? ahead.batch(step) : trainingImages(training, { ...plan, step })),
    validation: () => orderedImages(judged, rows, normalisation),
    close: async () => ahead?.close(),
  };
}
