/** The files of CIFAR's binary version. Node only. */
import { parseCifar } from "../io/cifar.ts";
import { joinBytes } from "../io/sha256.ts";
import type { ImageDataset } from "./dataset.ts";
import { checkImageSet, type ImageSet } from "./image-set.ts";
import { readUnswapped } from "./official-file.ts";

/**
 * Reads files of records as one part of a set.
 *
 * @param labels  how many classes each label byte has, and which of the bytes is the label.
 */
export async function loadCifarFiles(
  set: Pick<ImageDataset, "name" | "classes" | "archiveFolder" | "sources">,
  folder: string,
  part: { readonly name: string; readonly files: readonly string[] },
  labels: { readonly classes: readonly number[]; readonly use: number },
): Promise<ImageSet> {
  const parts = [];
  for (const name of part.files) {
    const { path, bytes } = await readUnswapped(set, folder, name);
    parts.push(parseCifar(bytes, path, labels.classes));
  }
  return checkImageSet({
    name: `${set.name} ${part.name}`,
    channels: 3,
    height: 32,
    width: 32,
    classes: set.classes,
    images: parts.length === 1 ? parts[0].images : joinBytes(parts.map(({ images }) => images)),
    labels: joinBytes(parts.map((records) => records.labels[labels.use])),
  });
}
