/** Batches of images that lie in folders, decoded by threads ahead of the step. Node only. */
import type { BatchPlan } from "../data/batch-maker.ts";
import { imageBatchesAhead } from "../data/batches-ahead.ts";
import { orderedBatches } from "../data/folder-batches.ts";
import type { ImageBatch } from "../data/image-batches.ts";
import type { ImageFolder } from "../data/image-folder.ts";
import type { ImageFeed } from "./image-feed.ts";

/** How files become images. */
export interface DecodeOptions {
  /** URL of a module that exports `decodeImage`, an `ImageDecoder`. */
  readonly decoder: string;
  /** Threads that decode. */
  readonly workers: number;
}

export interface FolderFeedOptions extends BatchPlan, DecodeOptions {
  /** The run's last step: no batch is made for those after it. Default none. */
  readonly lastStep?: number;
}

/**
 * Epochs of training images in random order, changed as told; those that validate in their order, the middle of each. Close it when done.
 */
export function folderFeed(
  { training, validation }: { readonly training: ImageFolder; readonly validation: ImageFolder },
  { lastStep, decoder, workers, ...plan }: FolderFeedOptions,
): ImageFeed {
  const source = { kind: "folder", folder: training, decoder } as const;
  const ahead = imageBatchesAhead(source, plan, { workers, ...(lastStep === undefined ? {} : { lastStep }) });
  return {
    unit: "samples",
    perStep: plan.rows,
    training: (step) => ahead.batch(step),
    validation: () => orderedFolderAhead(validation, plan, { decoder, workers }),
    close: () => ahead.close(),
  };
}

/** Images of a folder in order, the middle of each, decoded ahead. */
export async function* orderedFolderAhead(
  folder: ImageFolder,
  plan: Pick<BatchPlan, "seed" | "rows" | "normalisation">,
  { decoder, workers }: DecodeOptions,
): AsyncGenerator<ImageBatch, void, undefined> {
  const batches = orderedBatches(folder, plan.rows);
  const { seed, rows, normalisation } = plan;
  const ahead = imageBatchesAhead(
    { kind: "folder", folder, decoder, order: "given" },
    { seed, rows, normalisation },
    { workers: Math.min(workers, batches), lastStep: batches },
  );
  try {
    for (let number = 1; number <= batches; number++) yield await ahead.batch(number);
  } finally {
    await ahead.close();
  }
}
