import type { Recipe } from "./recipe.ts";

/**
 * A small BERT that tells hidden characters of Shakespeare. Windows are short: of long ones a model takes much longer to find out that
 * neighbours tell most.
 */
export const recipe: Recipe = {
  summary: "small BERT on hidden characters of Tiny Shakespeare: --data-dir path/to/data",
  builtInData: false,
  config: {
    task: "masked",
    data: { set: "tinyshakespeare", level: "characters" },
    model: { layers: 2, context: 34 },
    batch: 48,
    steps: 900,
    optimizer: { name: "adamw", lr: 0.002 },
    exempt: { optimizer: { name: "adamw", lr: 0.002 } },
    evaluate: { every: 150 },
    checkpoint: { every: 300 },
  },
};
