import type { Recipe } from "./recipe.ts";

/** A language model of this project's own source, with three bytes of state a weight. */
export const recipe: Recipe = {
  summary: "byte-level GPT on this project's own source and documents; a clone has them",
  builtInData: true,
  config: {
    optimizer: { name: "lns-madam", lr: 0.07, beta: 0.99, momentum: 0.9 },
    exempt: { optimizer: { name: "adamw", lr: 0.003, beta2: 0.99, weightDecay: 0 }, embeddings: true },
    precision: "state8",
  },
};
