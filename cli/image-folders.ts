/** The image folders of a configuration: ImageNet's layout, or one folder of which a part validates. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { DataError } from "../src/data/data-error.ts";
import { heldOut } from "../src/data/held-out.ts";
import {
  folderDigest,
  type ImageFolder,
  openImageFolder,
  partOfFolder,
  spreadOfFolder,
} from "../src/data/image-folder.ts";
import type { Normalisation } from "../src/data/image-set.ts";
import { sha256 } from "../src/io/sha256.ts";
import type { DecodeOptions } from "../src/train/folder-feed.ts";
import { folderSizes } from "./config/images.ts";
import type { ImagesConfig } from "./config/resolve.ts";

/** Mean and deviation of ImageNet's training images. @source torchvision's models, which were trained with them. */
export const imagenetNormalisation: Normalisation = {
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
};

/** What a configuration trains and validates on. */
export interface FolderParts {
  readonly training: ImageFolder;
  readonly validation: ImageFolder;
}

/** How this program decodes images: a core is left to the step. */
export const decoding = (): DecodeOptions => ({
  // Compiled, this file and the decoder's end in .js.
  decoder: new URL(import.meta.url.endsWith(".ts") ? "./decode-image.ts" : "./decode-image.js", import.meta.url)
    .href,
  workers: Math.max(1, availableParallelism() - 1),
}); // prettier-ignore

/**
 * Lists a configuration's images: `train` and `val` of its folder, or its classes, of which a part validates; or another folder validates.
 *
 * @param classes  of a run that goes on; default those of the training images.
 * @throws DataError for folders that are missing, empty, or of other classes.
 */
export async function openFolders(config: ImagesConfig, classes?: readonly string[]): Promise<FolderParts> {
  const { data, seed } = config;
  const root = folderOf(config);
  const options = { ...folderSizes(data), ...(classes && { classes }) };
  const [train, val] = ["train", "val"].map((part) => join(root, part));
  const isParted = existsSync(train) && existsSync(val);
  const whole = await openImageFolder(isParted ? train : root, options);
  const apart = data.validation ?? (isParted ? val : undefined);
  const parts = apart === undefined
    ? parted(whole, data.validationFraction, seed)
    : { training: whole, validation: await openImageFolder(apart, { ...options, classes: whole.classes }) };
  const some = (folder: ImageFolder, count: number) => (count === 0 ? folder : spreadOfFolder(folder, count));
  return { training: some(parts.training, data.limit), validation: some(parts.validation, config.evaluate.images) };
} // prettier-ignore

function folderOf({ data: { path } }: ImagesConfig): string {
  const [folder] = [path ?? []].flat();
  if (folder !== undefined) return folder;
  throw new DataError("images", "this run has no folder of images yet: name it with --data");
}

function parted(whole: ImageFolder, fraction: number, seed: number): FolderParts {
  if (whole.files.length < 2)
    throw new DataError(whole.name, "holds one image: wants some to train and some to validate");
  const { training, validation } = heldOut(whole.files.length, fraction, seed);
  return { training: partOfFolder(whole, training), validation: partOfFolder(whole, validation) };
}

/** The sum of the training images' places and sizes, and of their classes. */
export async function foldersDigest({ training }: FolderParts): Promise<string> {
  const facts = [training.classes.join("\n"), await folderDigest(training)].join("\n");
  return sha256([new TextEncoder().encode(facts)]);
}
