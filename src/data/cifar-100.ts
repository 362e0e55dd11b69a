/** CIFAR-100, whose images have two labels: a fine and a coarse one. Node only. */
import { loadCifarFiles } from "./cifar-files.ts";
import type { ImageDataset } from "./dataset.ts";

const classes = {
  coarse:
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture " +
    "insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores " +
    "medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2",
  fine:
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle " +
    "caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish " +
    "forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle " +
    "mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine " +
    "possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar " +
    "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale " +
    "willow_tree wolf woman worm",
} as const; // prettier-ignore

/**
 * The set with one of its labels.
 *
 * @source https://www.cs.toronto.edu/~kriz/cifar.html (files, classes); checksums as pinned by torchvision-ruby; mean and deviation of
 * the 50,000 training images as published with many implementations.
 */
export function cifar100(name: string, labels: "fine" | "coarse"): ImageDataset {
  const names = classes[labels].split(" ");
  const dataset: ImageDataset = {
    kind: "images",
    name,
    folder: "cifar-100",
    archiveFolder: "cifar-100-binary",
    summary: `things and animals, 32×32 colour, ${names.length} classes, 50,000 to train and 10,000 to test`,
    homepage: "https://www.cs.toronto.edu/~kriz/cifar.html",
    licence: "none declared by its page, which asks to cite Krizhevsky 2009",
    channels: 3,
    height: 32,
    width: 32,
    classes: names,
    normalisation: { mean: [0.5071, 0.4865, 0.4409], deviation: [0.2673, 0.2564, 0.2762] },
    counts: { train: 50_000, test: 10_000 },
    balanced: true,
    sources: [
      {
        kind: "tar.gz",
        urls: ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"],
        bytes: null,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        files: [
          {
            name: "train.bin",
            bytes: 153_700_000,
            sha256: "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
          },
          {
            name: "test.bin",
            bytes: 30_740_000,
            sha256: "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
          },
        ],
      },
    ],
    load: (folder, split) =>
      loadCifarFiles(
        dataset,
        folder,
        { name: split, files: [`${split}.bin`] },
        { classes: [20, 100], use: labels === "coarse" ? 0 : 1 },
      ),
  };
  return dataset;
}
