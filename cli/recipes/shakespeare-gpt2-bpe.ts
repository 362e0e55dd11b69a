import { recipe as ownSource } from "./own-source.ts";
import type { Recipe } from "./recipe.ts";

/** A small GPT on Shakespeare in GPT-2's byte pairs, everything of a weight in 8 bits. */
export const recipe: Recipe = {
  summary: "small GPT on Tiny Shakespeare in GPT-2's byte pairs: --data-dir path/to/data",
  builtInData: false,
  config: {
    ...ownSource.config,
    data: { set: "tinyshakespeare", level: "gpt2" },
    model: { context: 64 },
    batch: 16,
    steps: 600,
    evaluate: { every: 100, batches: 40 },
    sample: { length: 100 },
  },
};
