import type { Recipe } from "./recipe.ts";

/** A small vision transformer on CIFAR-10, at the default learning rate of Adam. */
export const recipe: Recipe = {
  summary: "small vision transformer on CIFAR-10: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "cifar-10", crop: 4, flip: true },
    model: { name: "vit-small4" },
    batch: 128,
    steps: 390,
    optimizer: { name: "adamw", lr: 0.001, weightDecay: 0.05 },
    exempt: { optimizer: { name: "adamw", lr: 0.001 }, embeddings: true },
    evaluate: { every: 195 },
    checkpoint: { every: 195 },
  },
};
