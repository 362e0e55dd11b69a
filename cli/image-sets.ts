/** The sets of labelled images among the registered ones. */
import { dataFolder, folderOf } from "../src/data/data-folder.ts";
import type { ImageDataset } from "../src/data/dataset.ts";
import type { ImageSet, ImageSplit } from "../src/data/image-set.ts";
import { datasets } from "../src/data/sets/datasets.generated.ts";

/** What stands for a folder of the user's own in place of a set's name. */
export const imageFolderName = "folder";

/** By name. */
export const imageSets: Readonly<Record<string, ImageDataset>> = Object.fromEntries(
  Object.values(datasets).flatMap((dataset) => (dataset.kind === "images" ? [[dataset.name, dataset]] : [])),
);

/**
 * Reads a part of a set.
 *
 * @param dataDir  folder of data sets or of this set's files; default `$LOGRUNG_DATA`, else `~/.cache/logrung`.
 * @throws DataError when a file is missing; the format's own error where one is damaged.
 */
export function loadImages(name: string, dataDir: string | undefined, split: ImageSplit): Promise<ImageSet> {
  const set = imageSets[name];
  return set.load(folderOf(set, dataFolder({ dataDir })), split);
}
