/** Where training batches of images come from, in memory or in folders. Node only. */
import { orderedFolderBatch, trainingFolderImages } from "./folder-batches.ts";
import { type ImageBatch, type ImageBatchOptions, trainingImages } from "./image-batches.ts";
import type { ImageDecoder, ImageFolder } from "./image-folder.ts";
import type { ImageSet } from "./image-set.ts";

/** Images in memory, or files with the module that decodes them. */
export type ImageSource =
  | { readonly kind: "set"; readonly set: ImageSet }
  | {
      readonly kind: "folder";
      readonly folder: ImageFolder;
      /** URL of a module that exports `decodeImage`, an {@link ImageDecoder}. */
      readonly decoder: string;
      /** `given`: step t is the t-th batch in order, as for evaluation. Default random, for training. */
      readonly order?: "random" | "given";
    };

/** What is the same for every batch of a run. */
export type BatchPlan = Omit<ImageBatchOptions, "step">;

/** Makes the batch of a step. */
export type BatchMaker = (step: number) => Promise<ImageBatch>;

/**
 * What makes the batches of a run, in the thread that calls it.
 *
 * @throws whatever loading the decoder throws; TypeError when it exports no `decodeImage`.
 */
export async function batchMaker(source: ImageSource, plan: BatchPlan): Promise<BatchMaker> {
  if (source.kind === "set") return async (step) => trainingImages(source.set, { ...plan, step });
  const { decodeImage } = (await import(source.decoder)) as { decodeImage?: ImageDecoder };
  if (typeof decodeImage !== "function")
    throw new TypeError(`logrung: "${source.decoder}" exports no function decodeImage`);
  const make = source.order === "given" ? orderedFolderBatch : trainingFolderImages;
  return (step) => make(source.folder, { ...plan, step }, decodeImage);
}
