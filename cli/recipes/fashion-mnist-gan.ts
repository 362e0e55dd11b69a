import type { Recipe } from "./recipe.ts";

/**
 * A small conditional GAN on clothes, trained as the Madam paper trains its own: hinge loss, one update of the discriminator for each
 * of the generator, learning rate 0.01, divided by ten for the last fifth of the steps. Biases, norms and gates are Adam's.
 */
export const recipe: Recipe = {
  summary: "small conditional GAN on Fashion-MNIST: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "gan",
    data: { name: "fashion-mnist" },
    model: { name: "gan-28" },
    batch: 64,
    steps: 1000,
    gradientClip: 0,
    optimizer: { name: "madam", lr: 0.01 },
    exempt: { optimizer: { name: "adam", lr: 0.001, beta1: 0 } },
    schedule: { name: "step", warmup: 0, interval: 0.8, decay: 0.1 },
    evaluate: { every: 250, images: 1000 },
    sample: { every: 250 },
    checkpoint: { every: 250 },
  },
};
