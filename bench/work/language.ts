/** Training steps of a language model to time. */
import { gpt2 } from "../../src/models/gpt2.ts";
import { optimizers } from "../../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import type { Options } from "../../src/optim/options.ts";
import type { Policy } from "../../src/precision/policy.ts";
import { presets } from "../../src/precision/presets.ts";
import type { Device } from "../../src/tensor/device.ts";
import { createTrainer, type LanguageTrainer } from "../../src/train/language-trainer.ts";
import { sizes, tokenBatches } from "../peers/protocol.ts";

/** Sizes of a model and its batches. */
export type LanguageSizes = {
  readonly [K in "layers" | "width" | "heads" | "context" | "batch" | "vocabulary"]: number;
};

/** The model that peers train too. */
export const GPT: LanguageSizes = sizes.gpt;
/** The model of `npm start`. */
export const START: LanguageSizes = { ...sizes.gpt, width: 128, vocabulary: 256 };

interface Recipe {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly policy: Policy;
}

const adamw = {
  optimizer: optimizers.adamw,
  options: { lr: sizes.gpt.lr, weightDecay: sizes.gpt.weightDecay },
};
const lnsMadam = {
  optimizer: optimizers["lns-madam"],
  options: { lr: 0.05, beta: 0.99, momentum: 0.9 },
};
const lmd = { optimizer: optimizers.lmd, options: {} };

/** Parts and moments of LMD in 8-bit codes, the operands of forward products in MX blocks. */
const lmd8WithMxfp6: Policy = {
  ...presets["lmd-mxfp6"],
  name: "lmd8 and mxfp6",
  update: presets.lmd8.update,
  embedding: presets.lmd8.embedding,
  moment: presets.lmd8.moment,
};

/** Ways to train, by name: an optimiser and a precision policy. */
export const recipes = {
  "AdamW float32": { ...adamw, policy: presets.fp32 },
  "AdamW lmd-mxfp4": { ...adamw, policy: presets["lmd-mxfp4"] },
  "LMD lmd-mxfp6": { ...lmd, policy: presets["lmd-mxfp6"] },
  "LMD lmd8 and mxfp6": { ...lmd, policy: lmd8WithMxfp6 },
  "Rung rung8": { optimizer: optimizers.rung, options: {}, policy: presets.rung8 },
  "Rung rung-mxfp6": { optimizer: optimizers.rung, options: {}, policy: presets["rung-mxfp6"] },
  "LNS-Madam state8": { ...lnsMadam, policy: presets.state8 },
  "LNS-Madam state8, no momentum": {
    ...lnsMadam,
    options: { ...lnsMadam.options, momentum: 0 },
    policy: presets.state8,
  },
  "LNS-Madam lns-madam-8": { ...lnsMadam, policy: presets["lns-madam-8"] },
} as const satisfies Record<string, Recipe>;
export type RecipeName = keyof typeof recipes;

/** A model in training. */
export interface Training {
  readonly trainer: LanguageTrainer;
  /** The next step; gives its loss. */
  step(): Promise<number>;
}

/** A fresh model and its trainer, with eight batches that come round and round. */
export async function languageTraining(
  device: Device,
  shape: LanguageSizes,
  recipe: RecipeName,
): Promise<Training> {
  const { batch: rows, ...config } = shape;
  const { optimizer, options, policy } = recipes[recipe];
  const trainer = await createTrainer({
    device,
    model: gpt2(device, { ...config, init: "gpt2" }, 1),
    policy,
    optimizer,
    options,
    exemptOptimizer: adamw.optimizer,
    exemptOptions: adamw.options,
    exemptEmbeddings: false,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 1_000_000,
    seed: 1,
    dropout: 0,
    gradientClip: null,
  });
  const batches = tokenBatches(8, shape, 9);
  let t = 0;
  const step = async (): Promise<number> => {
    const { x: inputs, y: targets } = batches[t++ % batches.length];
    return (await trainer.step({ rows, context: shape.context, inputs, targets }, t)).loss;
  };
  return { trainer, step };
}

/** Bytes held between steps a parameter: weights and optimiser state. */
export const bytesPerParameter = ({ trainer }: Training): number =>
  trainer.stateBytes / trainer.parameterCount;
