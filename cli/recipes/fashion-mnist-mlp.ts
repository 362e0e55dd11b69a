import type { Recipe } from "./recipe.ts";

/** A multi-layer perceptron on clothes, at the default learning rate of Adam. */
export const recipe: Recipe = {
  summary: "multi-layer perceptron on Fashion-MNIST: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "fashion-mnist" },
    model: { name: "mlp" },
    batch: 128,
    steps: 2340,
    gradientClip: 0,
    optimizer: { name: "adamw", lr: 0.001 },
    exempt: { optimizer: { name: "adamw", lr: 0.001 } },
    evaluate: { every: 468 },
    checkpoint: { every: 468 },
  },
};
