/** CIFAR-10: 60,000 colour images in ten classes. Node only. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseCifar } from "../../io/cifar.ts";
import { checkImageSet, type ImageDataset, type ImageSet, type ImageSplit } from "../image-set.ts";
import { readOfficial } from "../official-file.ts";

/** The folder that the official archive unpacks to. */
const archiveFolder = "cifar-10-batches-bin";

/** Training batches 1 … 5; those after the first may be missing, for work with a part of the set. */
function batchNames(folder: string, split: ImageSplit): string[] {
  if (split === "test") return ["test_batch.bin"];
  const names = Array.from({ length: 5 }, (_, i) => `data_batch_${i + 1}.bin`);
  const places = [folder, join(folder, archiveFolder)];
  const present = (name: string): boolean =>
    places.some((place) => existsSync(join(place, name)) || existsSync(join(place, `${name}.gz`)));
  return names.filter((name, i) => i === 0 || present(name));
}

async function load(folder: string, split: ImageSplit): Promise<ImageSet> {
  const parts = [];
  for (const name of batchNames(folder, split)) {
    const { path, bytes } = await readOfficial(dataset.name, folder, name, archiveFolder);
    parts.push(parseCifar(bytes, path, [dataset.classes.length]));
  }
  const { channels, height, width, classes } = dataset;
  return checkImageSet({
    name: `${dataset.name} ${split}`,
    channels,
    height,
    width,
    classes,
    images: joined(parts.map(({ images }) => images)),
    labels: joined(parts.map(({ labels }) => labels[0])),
  });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    whole.set(part, end);
    end += part.length;
  }
  return whole;
}

/** @source https://www.cs.toronto.edu/~kriz/cifar.html; mean and deviation of its 50,000 training images. */
export const dataset: ImageDataset = {
  name: "cifar-10",
  summary: "things and animals, 32×32 colour, 10 classes, 50,000 to train and 10,000 to test",
  channels: 3,
  height: 32,
  width: 32,
  classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  normalisation: {
    mean: [0.49139968, 0.48215841, 0.44653091],
    deviation: [0.24703223, 0.24348513, 0.26158784],
  },
  sources: [
    {
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
      bytes: 170052171,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
  ],
  load,
};
