import { recipe as cifar10 } from "./cifar10-resnet18.ts";
import type { Recipe } from "./recipe.ts";

/** The same on CIFAR-100, as the paper has it: weights within one initial root mean square, images turned by up to 15 degrees too. */
export const recipe: Recipe = {
  summary: "the same on CIFAR-100: --data-dir path/to/data",
  builtInData: false,
  config: {
    ...cifar10.config,
    data: { name: "cifar-100", crop: 4, flip: true, rotation: 15 },
    optimizer: { name: "madam", lr: 0.01, scale: 1 },
  },
};
