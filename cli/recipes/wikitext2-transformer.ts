import type { Recipe } from "./recipe.ts";

/**
 * The Madam paper's language model, with its batch and learning rate, for one pass over the text (`--steps 59680` is its twenty). All
 * parameters follow the optimiser, as in the reference code; gradients are not clipped, which there is SGD's alone.
 */
export const recipe: Recipe = {
  summary: "word-level transformer of the Madam paper on WikiText-2: --data-dir path/to/data",
  builtInData: false,
  config: {
    data: { set: "wikitext-2", level: "words" },
    model: { preset: "wikitext2-transformer" },
    batch: 20,
    steps: 2984,
    optimizer: { name: "madam", lr: 0.01, scale: 2 },
    // Biases and norms, which products read in float32 whatever the weights are in.
    groups: [
      { pattern: "*bias", precision: "fp32" },
      { pattern: "*norm1.weight", precision: "fp32" },
      { pattern: "*norm2.weight", precision: "fp32" },
    ],
    schedule: { name: "step", warmup: 0, interval: 0.5, decay: 0.1 },
    gradientClip: 0,
    evaluate: { every: 746, batches: 311 },
    checkpoint: { every: 746 },
    sample: { length: 100 },
  },
};
