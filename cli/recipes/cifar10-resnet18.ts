import type { Recipe } from "./recipe.ts";

/**
 * The Madam paper's ResNet-18 on CIFAR-10, its batch norms without gain and bias: 300 epochs, batch 1,024, learning rate divided by ten
 * after each hundred epochs, crops and mirroring. All parameters follow the optimiser, as in the reference code.
 */
export const recipe: Recipe = {
  summary: "the Madam paper's ResNet-18 on CIFAR-10: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "cifar-10", crop: 4, flip: true },
    model: { name: "resnet18-cifar-plain" },
    batch: 1024,
    // 300 times the 48 whole batches of 50,000 images.
    steps: 14_400,
    gradientClip: 0,
    optimizer: { name: "madam", lr: 0.01, scale: 3 },
    // The classifier's bias, which products read in float32 whatever the weights are in.
    groups: [{ pattern: "linear.bias", precision: "fp32" }],
    schedule: { name: "step", warmup: 0, interval: 1 / 3, decay: 0.1 },
    evaluate: { every: 480 },
    checkpoint: { every: 480 },
  },
};
