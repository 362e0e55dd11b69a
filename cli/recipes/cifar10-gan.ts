import type { Recipe } from "./recipe.ts";

/**
 * The Madam paper's conditional GAN on CIFAR-10: 121 epochs, batch 256, one update of the discriminator for each of the generator,
 * learning rate divided by ten at epoch 100, mirroring. All parameters follow the optimiser, as in the reference code.
 */
export const recipe: Recipe = {
  summary: "the Madam paper's conditional GAN on CIFAR-10: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "gan",
    data: { name: "cifar-10", flip: true },
    model: { name: "gan-cifar" },
    batch: 256,
    // 121 times the 195 whole batches of 50,000 images.
    steps: 23_595,
    gradientClip: 0,
    optimizer: { name: "madam", lr: 0.01, scale: 3 },
    // Biases, gates and gains, which operations read in float32 whatever the weights are in.
    groups: [
      { pattern: "*bias", precision: "fp32" },
      { pattern: "*.gamma", precision: "fp32" },
      { pattern: "generator.bn_img.weight", precision: "fp32" },
    ],
    // The one tensor that starts at zero, the last norm's bias, starts at ±0.01 as the other biases do.
    zeros: "floor",
    schedule: { name: "step", warmup: 0, interval: 100 / 121, decay: 0.1 },
    evaluate: { every: 1950 },
    sample: { every: 1950 },
    checkpoint: { every: 1950 },
  },
};
