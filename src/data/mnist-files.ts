/** The four files that MNIST and its drop-in replacements consist of. Node only. */
import { parseIdx } from "../io/idx.ts";
import { DataError } from "./data-error.ts";
import { checkImageSet, type ImageDataset, type ImageSet, type ImageSplit } from "./image-set.ts";
import { readOfficial } from "./official-file.ts";

const stems: Readonly<Record<ImageSplit, string>> = { train: "train", test: "t10k" };

/** Reads `<part>-images-idx3-ubyte` and `<part>-labels-idx1-ubyte`; see {@link ImageDataset.load}. */
export async function loadMnistFiles(
  set: Pick<ImageDataset, "name" | "height" | "width" | "classes">,
  folder: string,
  split: ImageSplit,
): Promise<ImageSet> {
  const stem = stems[split];
  const imageFile = await readOfficial(set.name, folder, `${stem}-images-idx3-ubyte`);
  const labelFile = await readOfficial(set.name, folder, `${stem}-labels-idx1-ubyte`);
  const images = parseIdx(imageFile.bytes, imageFile.path, 3);
  const labels = parseIdx(labelFile.bytes, labelFile.path, 1);
  const [, height, width] = images.shape;
  if (height !== set.height || width !== set.width) {
    const want = `${set.height}×${set.width}`;
    throw new DataError(set.name, `images of ${height}×${width} in "${imageFile.path}", wants ${want}`);
  }
  return checkImageSet({
    name: `${set.name} ${split}`,
    channels: 1,
    height,
    width,
    classes: set.classes,
    images: images.data,
    labels: labels.data,
  });
}
