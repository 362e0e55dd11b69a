import type { Recipe } from "./recipe.ts";

/**
 * GPT-2 from scratch by LMD, its products forward in MXFP6, as the LMD paper trains one on OpenWebText: give a token file, made by
 * `data tokenise` or nanoGPT's `train.bin`. The paper's batch, length and rates are not known here: batch, steps and warm-up are those
 * in which nanoGPT trains this model (the rate of biases and norms too), and LMD has its defaults. Its state is in `lmd8`'s codes: in
 * float32 it would fill WebAssembly's 4 GiB.
 */
export const recipe: Recipe = {
  summary: "GPT-2 by LMD in MXFP6 on a token file: --data train.bin --data.validation val.bin",
  builtInData: false,
  config: {
    data: { level: "gpt2" },
    model: { preset: "gpt2", dropout: 0 },
    batch: 480,
    accumulate: 480,
    steps: 600_000,
    optimizer: { name: "lmd" },
    exempt: { optimizer: { name: "adamw", lr: 0.0006, beta2: 0.95, weightDecay: 0 } },
    precision: { preset: "lmd8", passes: "forward-only", weight: "mxfp6-e2m3", activation: "mxfp6-e2m3" },
    schedule: { name: "cosine", warmup: 2000 / 600_000, final: 0.1 },
    evaluate: { every: 1000, batches: 1 },
    checkpoint: { every: 1000 },
  },
};
