import type { Recipe } from "./recipe.ts";

/** A small convolutional network on clothes, at the default learning rate of Adam. */
export const recipe: Recipe = {
  summary: "small convolutional network on Fashion-MNIST: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "fashion-mnist" },
    model: { name: "convnet" },
    batch: 64,
    steps: 2814,
    gradientClip: 0,
    optimizer: { name: "adamw", lr: 0.001 },
    exempt: { optimizer: { name: "adamw", lr: 0.001 } },
    evaluate: { every: 938 },
    checkpoint: { every: 938 },
  },
};
