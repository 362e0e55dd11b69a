import type { Recipe } from "./recipe.ts";

/**
 * A vision transformer on ImageNet from scratch by LMD, its products forward in MXFP6, as the LMD paper trains one. The paper's size of
 * model, batch, learning rate and augmentation are not known here: size, batch, epochs, warm-up, smoothing and mixup are those in which
 * DeiT trains ViT-S/16 (the rate of biases and norms too), and LMD has its defaults.
 */
export const recipe: Recipe = {
  summary: "ViT-S/16 by LMD in MXFP6 on ImageNet's folders: --data path/to/imagenet",
  builtInData: false,
  config: {
    task: "images",
    data: { name: "folder", area: [0.08, 1], flip: true, mixup: 0.8 },
    model: { name: "vit-s16" },
    batch: 1024,
    // 300 times the 1,251 whole batches of 1,281,167 images.
    steps: 375_300,
    labelSmoothing: 0.1,
    optimizer: { name: "lmd" },
    exempt: { optimizer: { name: "adamw", lr: 0.001, weightDecay: 0 } },
    precision: "lmd-mxfp6",
    schedule: { name: "cosine", warmup: 5 / 300, final: 0 },
    evaluate: { every: 1251 },
    checkpoint: { every: 1251 },
  },
};
