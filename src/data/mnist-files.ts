/** The four files that MNIST and its drop-in replacements consist of. Node only. */
import { IdxError, parseIdx } from "../io/idx.ts";
import { DataError } from "./data-error.ts";
import type { DataSource, ImageDataset } from "./dataset.ts";
import { checkImageSet, type ImageSet, type ImageSplit } from "./image-set.ts";
import { readOfficial } from "./official-file.ts";

const stems: Readonly<Record<ImageSplit, string>> = { train: "train", test: "t10k" };
const otherSplit: Readonly<Record<ImageSplit, ImageSplit>> = { train: "test", test: "train" };

/** How many images each part has. */
export const mnistCounts: Readonly<Record<ImageSplit, number>> = { train: 60_000, test: 10_000 };

/** Size and checksum of a gzip file, and the checksum of what it holds where that is known. */
export interface MnistChecksum {
  readonly gzipBytes: number;
  readonly gzipSha256: string;
  readonly sha256: string | null;
}

/** The files of a set of 28×28 images, in their order everywhere: images and labels to train, then to test. */
const mnistFileSizes: Readonly<Record<string, number>> = {
  "train-images-idx3-ubyte": 47_040_016,
  "train-labels-idx1-ubyte": 60_008,
  "t10k-images-idx3-ubyte": 7_840_016,
  "t10k-labels-idx1-ubyte": 10_008,
};

/**
 * The four files as downloads.
 *
 * @param places     folders that hold them, the official one first.
 * @param checksums  by file.
 */
export function mnistSources(
  places: readonly string[],
  checksums: Readonly<Record<string, MnistChecksum>>,
): DataSource[] {
  return Object.entries(checksums).map(([name, { gzipBytes, gzipSha256, sha256 }]) => ({
    kind: "gzip",
    urls: places.map((place) => `${place}/${name}.gz`),
    bytes: gzipBytes,
    sha256: gzipSha256,
    files: [{ name, bytes: mnistFileSizes[name], sha256 }],
  }));
}

/**
 * Reads `<part>-images-idx3-ubyte` and `<part>-labels-idx1-ubyte`; see {@link ImageDataset.load}.
 *
 * @throws IdxError also where a part's files hold as many images as the other part's: they are swapped.
 */
export async function loadMnistFiles(
  set: Pick<ImageDataset, "name" | "height" | "width" | "classes" | "sources" | "counts">,
  folder: string,
  split: ImageSplit,
): Promise<ImageSet> {
  const stem = stems[split];
  const imageFile = await readOfficial(set, folder, `${stem}-images-idx3-ubyte`);
  const labelFile = await readOfficial(set, folder, `${stem}-labels-idx1-ubyte`);
  const images = parseIdx(imageFile.bytes, imageFile.path, 3);
  const labels = parseIdx(labelFile.bytes, labelFile.path, 1);
  const [count, height, width] = images.shape;
  if (count === set.counts[otherSplit[split]]) {
    const want = set.counts[split];
    throw new IdxError(imageFile.path, 4, `${count} images, as the ${otherSplit[split]} files have, wants ${want}: swapped?`);
  }
  if (height !== set.height || width !== set.width) {
    const want = `${set.height}×${set.width}`;
    throw new DataError(set.name, `images of ${height}×${width} in "${imageFile.path}", wants ${want}`);
  }
  const { data } = labels;
  const wrong = data.findIndex((label) => label >= set.classes.length);
  if (wrong >= 0)
    throw new IdxError(labelFile.path, 8 + wrong, `label ${data[wrong]}, wants 0 to ${set.classes.length - 1}`);
  return checkImageSet({
    name: `${set.name} ${split}`,
    channels: 1,
    height,
    width,
    classes: set.classes,
    images: images.data,
    labels: data,
  });
} // prettier-ignore
