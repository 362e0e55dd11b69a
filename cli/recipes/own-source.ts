import type { Recipe } from "./recipe.ts";

/** A language model of this project's own source, everything of a weight in 8 bits: three bytes of state. */
export const recipe: Recipe = {
  summary: "byte-level GPT on this project's own source and documents; a clone has them",
  builtInData: true,
  config: {
    optimizer: { name: "rung", lr: 0.003 },
    exempt: { optimizer: { name: "adamw", lr: 0.003, beta2: 0.99, weightDecay: 0 } },
    precision: "rung8",
  },
};
