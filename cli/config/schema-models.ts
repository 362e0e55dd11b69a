/** The part of the training configuration that says what is trained. */
import * as z from "zod";
import { encoderPresets } from "../../src/models/encoder-presets.ts";
import { encoderInits } from "../../src/models/encoder.ts";
import { encoders } from "../../src/models/encoders.generated.ts";
import { ganPresets } from "../../src/models/gan.ts";
import { imagePresets, sizedModel } from "../../src/models/image-presets.ts";
import { languagePresets } from "../../src/models/language-presets.ts";
import { languageInits } from "../../src/models/model.ts";
import { models } from "../../src/models/models.generated.ts";
import { count, fraction, keysOf } from "./schema-fields.ts";

export const sizes = z.strictObject({
  patch: count(1, "side of a vit's patches, in pixels"),
  width: count(1, "numbers that stand for one patch; a multiple of heads"),
  layers: count(1, "a vit's blocks"),
  heads: count(1, "a vit's attention heads"),
  hidden: count(1, "inner width of a vit's blocks; default 4 times width").optional(),
  epsilon: z.number().gt(0).optional().describe("what a vit's norms add to the variance; default 1e-6"),
});

export const imageModel = z.strictObject({
  name: z.enum([...keysOf(imagePresets), sizedModel]).describe("architecture; vit is one of given sizes"),
  sizes: sizes.optional(),
  dropout: fraction("part of the activations dropped while training; vit's alone").default(0),
});

export const languageModel = z.strictObject({
  name: z.enum(keysOf(models)).default("gpt2").describe("architecture"),
  preset: z.enum(keysOf(languagePresets)).optional().describe("published sizes, where others are not given"),
  layers: count(1, "transformer blocks").default(4),
  width: count(1, "numbers that stand for one symbol; a multiple of heads").default(128),
  heads: count(1, "attention heads").default(4),
  context: count(1, "symbols the model sees at once").default(128),
  hidden: count(
    1,
    "inner width of each block; default 4 times width for gpt2, width for transformer-lm",
  ).optional(),
  init: z
    .enum(languageInits)
    .optional()
    .describe(
      "initial values: gpt2 has deviations of 1/sqrt(inputs) (fan-in, the default) or 0.02 for all (gpt2); transformer-lm PyTorch's",
    ),
  dropout: fraction("part of the activations dropped while training").default(0),
  recompute: z
    .boolean()
    .default(false)
    .describe(
      "keeps only the input of each block and computes it again in the backward pass: less memory, more time",
    ),
});

/** What the smallest sequence holds: a start, two texts' ends, and a symbol. */
export const leastContext = 4;

export const encoderModel = z.strictObject({
  name: z.enum(keysOf(encoders)).default("bert").describe("architecture"),
  preset: z.enum(keysOf(encoderPresets)).optional().describe("published sizes, where others are not given"),
  layers: languageModel.shape.layers,
  width: languageModel.shape.width,
  heads: languageModel.shape.heads,
  context: count(leastContext, "symbols the model sees at once").default(128),
  hidden: count(1, "inner width of each block; default 4 times width for bert").optional(),
  init: z
    .enum(encoderInits)
    .default("fan-in")
    .describe("initial values: deviations of 1/sqrt(inputs) (fan-in) or 0.02 for all (bert)"),
  dropout: languageModel.shape.dropout,
  recompute: languageModel.shape.recompute,
});

export const textModel = encoderModel.extend({
  from: z
    .string()
    .optional()
    .describe(
      "run on hidden symbols (task masked) whose encoder the model starts from; its sizes and its level are the defaults then",
    ),
});

export const ganModel = z.strictObject({ name: z.enum(keysOf(ganPresets)).describe("architecture") });
