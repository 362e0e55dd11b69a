import type { Recipe } from "./recipe.ts";

/**
 * The Madam paper's ResNet-50 on ImageNet, with its batch a process, 120 epochs, warm-up of five, decay at every fortieth, cuts and
 * redrawn zeros. All parameters follow the optimiser, as in the reference code. How many processes it ran is not known; validation on
 * the middle 224 of 256 pixels is the usual one.
 */
export const recipe: Recipe = {
  summary: "the Madam paper's ResNet-50 on ImageNet's folders: --data path/to/imagenet",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "folder", area: [0.1, 1], aspect: [0.8, 1.25], flip: true },
    model: { name: "resnet50" },
    batch: 100,
    // 120 times the 12,811 whole batches of 1,281,167 images.
    steps: 1_537_320,
    gradientClip: 0,
    optimizer: { name: "madam", lr: 0.01, scale: 3 },
    // Biases and norms, which products read in float32 whatever the weights are in.
    groups: [
      { pattern: "*bias", precision: "fp32" },
      { pattern: "*bn*.weight", precision: "fp32" },
      { pattern: "*downsample.1.weight", precision: "fp32" },
    ],
    zeros: "redraw",
    schedule: { name: "step", warmup: 5 / 120, interval: 1 / 3, decay: 0.1 },
    evaluate: { every: 12_811 },
    checkpoint: { every: 12_811 },
  },
};
