import type { Recipe } from "./recipe.ts";

/** A narrow residual network on CIFAR-10, its batch norms without gain and bias as the Madam paper has them. */
export const recipe: Recipe = {
  summary: "narrow residual network on CIFAR-10: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "cifar-10", crop: 4, flip: true },
    model: { name: "resnet8-cifar-plain" },
    batch: 128,
    steps: 390,
    gradientClip: 0,
    optimizer: { name: "sgd", lr: 0.1 },
    exempt: { optimizer: { name: "adamw", lr: 0.001 } },
    evaluate: { every: 195 },
    checkpoint: { every: 195 },
  },
};
