/** CIFAR-10: 60,000 colour images in ten classes. Node only. */
import { loadCifarFiles } from "../cifar-files.ts";
import type { ImageDataset } from "../dataset.ts";
import type { ImageSplit } from "../image-set.ts";
import { findFile } from "../official-file.ts";

/** Training batches 1 … 5; those after the first may be missing, for work with a part of the set. */
function batchNames(folder: string, split: ImageSplit): string[] {
  if (split === "test") return ["test_batch.bin"];
  const names = Array.from({ length: 5 }, (_, i) => `data_batch_${i + 1}.bin`);
  return names.filter((name, i) => i === 0 || findFile(dataset, folder, { name }) !== undefined);
}

const batch = (name: string, sha256: string) => ({ name, bytes: 30_730_000, sha256 });

/**
 * @source https://www.cs.toronto.edu/~kriz/cifar.html; checksums as pinned by torchvision-ruby; mean and deviation of its 50,000
 * training images.
 */
export const dataset: ImageDataset = {
  kind: "images",
  name: "cifar-10",
  summary: "things and animals, 32×32 colour, 10 classes, 50,000 to train and 10,000 to test",
  homepage: "https://www.cs.toronto.edu/~kriz/cifar.html",
  licence: "none declared by its page, which asks to cite Krizhevsky 2009",
  archiveFolder: "cifar-10-batches-bin",
  channels: 3,
  height: 32,
  width: 32,
  classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  normalisation: {
    mean: [0.49139968, 0.48215841, 0.44653091],
    deviation: [0.24703223, 0.24348513, 0.26158784],
  },
  counts: { train: 50_000, test: 10_000 },
  balanced: true,
  sources: [
    {
      kind: "tar.gz",
      urls: ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
      bytes: 170_052_171,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      files: [
        batch("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        batch("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        batch("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        batch("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        batch("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        batch("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
      ],
    },
  ],
  load: (folder, split) =>
    loadCifarFiles(
      dataset,
      folder,
      { name: split, files: batchNames(folder, split) },
      { classes: [dataset.classes.length], use: 0 },
    ),
};
