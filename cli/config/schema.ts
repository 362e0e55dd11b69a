/** The training configuration: the one description behind config files, flags, help and JSON schema. */
import * as z from "zod";
import { encoderPresets } from "../../src/models/encoder-presets.ts";
import { encoderInits } from "../../src/models/encoder.ts";
import { encoders } from "../../src/models/encoders.generated.ts";
import { ganPresets } from "../../src/models/gan.ts";
import { imagePresets, sizedModel } from "../../src/models/image-presets.ts";
import { languagePresets } from "../../src/models/language-presets.ts";
import { languageInits } from "../../src/models/model.ts";
import { models } from "../../src/models/models.generated.ts";
import { scheduleNames } from "../../src/optim/schedules.ts";
import { zerosChoices } from "../../src/optim/zeros.ts";
import { imageFolderName, imageSets } from "../image-sets.ts";
import { textLevels, textSets } from "../language-data.ts";

/** The names of a registry, for `z.enum`. @throws Error when it is empty. */
function keysOf(registry: Readonly<Record<string, unknown>>): [string, ...string[]] {
  const [first, ...rest] = Object.keys(registry);
  if (first === undefined) throw new Error("logrung: a registry without entries");
  return [first, ...rest];
}

const count = (least: number, doc: string) => z.int().min(least).describe(doc);
const fraction = (doc: string) => z.number().min(0).lt(1).describe(doc);

/**
 * An optimiser's name and its own options, which are checked against its own schema once the name is known.
 */
const optimizer = z.looseObject({ name: z.string().default("adamw").describe("update rule") });

const text = z.strictObject({
  path: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("text file, folder or pattern; give it again for more"),
  set: z
    .enum(keysOf(textSets))
    .optional()
    .describe("registered text with parts of its own, in place of path"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  level: z.enum(textLevels).default("bytes").describe("what a symbol is"),
  vocabulary: z
    .string()
    .optional()
    .describe(
      "folder of the level's vocabulary (encoder.json and vocab.bpe, BERT's vocab.txt, words.txt, characters.json), or its one file; " +
        "default the set gpt2-bpe or bert-uncased, or what the training text holds",
    ),
  encoding: z.enum(["utf-8", "bytes"]).default("utf-8").describe("utf-8 refuses a file that is no text"),
  validation: z
    .string()
    .optional()
    .describe("text or token file to validate on; default the last part of path"),
  validationFraction: fraction("last part of the text, kept for validation").gt(0).default(0.1),
});

const labelledTexts = z.strictObject({
  path: text.shape.path.describe("file of labelled texts: lines of label, tab, text; or .jsonl"),
  dir: text.shape.dir,
  level: text.shape.level,
  vocabulary: text.shape.vocabulary,
  columns: z
    .string()
    .optional()
    .describe(
      "where files have a header or more columns: label,text or label,text,second by name or number, or the keys of .jsonl",
    ),
  validation: z.string().optional().describe("labelled texts to validate on; default a part of path"),
  validationFraction: fraction("part of the texts, drawn by the seed, kept for validation")
    .gt(0)
    .default(0.1),
});

const images = z.strictObject({
  name: z
    .enum([...keysOf(imageSets), imageFolderName])
    .default(imageFolderName)
    .describe("set of labelled images; folder is that of path"),
  path: text.shape.path.describe(
    "folder of images: train/ and val/ with a folder of PNG or JPEG for each class, or the classes",
  ),
  validation: z
    .string()
    .optional()
    .describe("folder of images to validate on; default val/ or a part of path"),
  validationFraction: fraction("part of one folder's images, drawn by the seed, kept for validation")
    .gt(0)
    .default(0.1),
  size: count(1, "side of what models get of a folder's images; default 224").optional(),
  resize: count(
    1,
    "what the shorter side of an image is scaled to before its middle is judged; default 8/7 of size",
  ).optional(),
  area: z
    .array(z.number().gt(0).max(1))
    .length(2)
    .optional()
    .describe(
      "least and most share of a training image that is cut out at random and scaled to size; default no such cut",
    ),
  aspect: z
    .array(z.number().gt(0))
    .length(2)
    .default([3 / 4, 4 / 3])
    .describe("least and most ratio of width to height of that cut"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  limit: count(0, "training images used: the first of a set, or spread over a folder; 0 is all").default(0),
  crop: count(0, "zeros around a training image, out of which its size is cut at random").default(0),
  flip: z.boolean().default(false).describe("mirrors every other training image"),
  rotation: z.number().min(0).max(180).default(0).describe("most degrees a training image is turned by"),
  mixup: z
    .number()
    .min(0)
    .default(0)
    .describe("alpha of the share in which training images are mixed; 0 mixes none"),
  mean: z.array(z.number()).optional().describe("of each channel, subtracted; default the set's"),
  deviation: z.array(z.number().gt(0)).optional().describe("of each channel, divided by; default the set's"),
});

const sizes = z.strictObject({
  patch: count(1, "side of a vit's patches, in pixels"),
  width: count(1, "numbers that stand for one patch; a multiple of heads"),
  layers: count(1, "a vit's blocks"),
  heads: count(1, "a vit's attention heads"),
  hidden: count(1, "inner width of a vit's blocks; default 4 times width").optional(),
  epsilon: z.number().gt(0).optional().describe("what a vit's norms add to the variance; default 1e-6"),
});

const imageModel = z.strictObject({
  name: z.enum([...keysOf(imagePresets), sizedModel]).describe("architecture; vit is one of given sizes"),
  sizes: sizes.optional(),
  dropout: fraction("part of the activations dropped while training; vit's alone").default(0),
});

const languageModel = z.strictObject({
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
const leastContext = 4;

const encoderModel = z.strictObject({
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

const textModel = encoderModel.extend({
  from: z
    .string()
    .optional()
    .describe(
      "run on hidden symbols (task masked) whose encoder the model starts from; its sizes and its level are the defaults then",
    ),
});

const exempt = z.strictObject({
  optimizer: optimizer.prefault({}).describe("update rule of biases and norms (in float32)"),
  embeddings: z
    .boolean()
    .default(false)
    .describe("embeddings follow this rule too, in the format that the precision has for them"),
});

const schedule = z.strictObject({
  name: z.enum(scheduleNames).default("cosine").describe("course of the learning rate"),
  warmup: fraction("part of the steps over which it rises from 0").default(0.1),
  final: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe("what linear, cosine and one-cycle leave of it at the last step"),
  decay: z.number().gt(0).max(1).default(0.1).describe("what step and plateau multiply it by"),
  interval: z
    .number()
    .gt(0)
    .max(1)
    .default(1 / 3)
    .describe("part of the steps between two decays of step"),
  patience: count(0, "validations without improvement that plateau waits for").default(3),
  threshold: fraction("least relative fall of the loss that plateau takes for an improvement").default(0.001),
});

const group = z.strictObject({
  pattern: z.string().min(1).describe("parameters by name; * stands for any characters"),
  optimizer: z
    .looseObject({ name: z.string().optional() })
    .default({})
    .describe("update rule; without a name the run's own, with other options"),
  precision: z
    .union([z.string(), z.looseObject({})])
    .optional()
    .describe("formats of update, gradient and moment; default the run's"),
});

const average = z.strictObject({
  decay: fraction("decay of the moving average of weights that validation uses; 0 keeps none").default(0),
  format: z.string().default("fp32").describe("format of the averages, stochastically rounded"),
});

const everySteps = count(0, "steps between validations; 0 only at the end").default(100);

const evaluateText = z.strictObject({
  every: everySteps,
  batches: count(1, "batches a validation takes, fewer where the text has fewer").default(20),
});

const evaluateImages = z.strictObject({
  every: everySteps,
  images: count(
    0,
    "test images a validation takes: the first of a set, or spread over a folder; 0 is all",
  ).default(0),
});

const evaluateLabelled = z.strictObject({ every: everySteps });

const checkpoint = z.strictObject({
  every: count(0, "steps between checkpoints; 0 only at the end").default(100),
  keep: count(1, "newest checkpoints that stay").default(3),
});

const sample = z.strictObject({
  length: count(0, "symbols of sample text at the end; 0 is none").default(400),
  temperature: z
    .number()
    .min(0)
    .default(0.8)
    .describe("0 takes the likeliest symbol, 1 draws as the model says"),
  topK: count(0, "draws among the likeliest so many; 0 is all").default(0),
  prompt: z.string().default("\n").describe("text the sample goes on from"),
});

/** What every task has. Unknown keys are errors at every level but inside `optimizer` and `precision`, which have
 * schemas of their own. */
const start = {
  recipe: z.string().default("custom").describe("what the configuration started from"),
  seed: count(0, "all random numbers follow from it").default(1),
  steps: count(1, "optimiser steps").default(1500),
};

const training = {
  optimizer: optimizer.prefault({}).describe("update rule of the weights"),
  exempt: exempt.prefault({}),
  groups: z
    .array(group)
    .default([])
    .describe("parameters with rules of their own, as JSON: the first pattern that fits counts"),
  zeros: z
    .enum(zerosChoices)
    .default("keep")
    .describe("zero weights under multiplicative rules: stay, are drawn anew, get a floor, or are exempt"),
  precision: z
    .union([z.string(), z.looseObject({})])
    .optional()
    .describe(
      "preset's name, or formats by role and layer (docs/precision.md); default: what suits the optimiser",
    ),
  schedule: schedule.prefault({}),
  gradientClip: z.number().min(0).default(1).describe("most a gradient's norm may be; 0 does not clip"),
  gradientClipValue: z.number().min(0).default(0).describe("most a gradient's value may be; 0 does not clip"),
  accumulate: count(1, "parts a batch is computed in, their gradients added up; must divide batch").default(
    1,
  ),
  samples: count(1, "draws of the weights a step, for rules that draw them; gradients are averaged").default(
    1,
  ),
  average: average.prefault({}),
};

const ending = {
  checkpoint: checkpoint.prefault({}),
  threads: count(0, "worker threads; 0 is one a core").default(0),
  backend: z.enum(["wasm", "reference"]).default("wasm").describe("reference is slow and exact"),
  output: z.string().optional().describe("run folder; default runs/<recipe>-<date>-<time>-<suffix>"),
};

const taskDoc =
  "what is learnt: language, images, masked (hidden symbols of a text), texts (their classes) or gan";

/** A language model on a text. The defaults are a real run: the `own-source` recipe differs in its optimiser alone. */
const languageSchema = z.strictObject({
  task: z.literal("language").default("language").describe(taskDoc),
  ...start,
  data: text.prefault({}),
  model: languageModel.prefault({}),
  batch: count(1, "windows of text a step").default(8),
  ...training,
  evaluate: evaluateText.prefault({}),
  sample: sample.prefault({}),
  ...ending,
});

/** A classifier of labelled images. */
const imagesSchema = z.strictObject({
  task: z.literal("images").describe(taskDoc),
  ...start,
  data: images.prefault({}),
  model: imageModel,
  batch: count(1, "images a step").default(128),
  labelSmoothing: fraction("share of a target's probability that is spread over all classes").default(0),
  ...training,
  evaluate: evaluateImages.prefault({}),
  ...ending,
});

/** An encoder that tells hidden symbols of a text. */
const maskedSchema = z.strictObject({
  task: z.literal("masked").describe(taskDoc),
  ...start,
  data: text.prefault({}),
  model: encoderModel.prefault({}),
  batch: count(1, "windows of text a step").default(8),
  ...training,
  evaluate: evaluateText.prefault({}),
  ...ending,
});

/** An encoder that tells the classes of labelled texts. */
const textsSchema = z.strictObject({
  task: z.literal("texts").describe(taskDoc),
  ...start,
  data: labelledTexts.prefault({}),
  model: textModel.prefault({}),
  batch: count(1, "texts a step").default(32),
  labelSmoothing: imagesSchema.shape.labelSmoothing,
  ...training,
  evaluate: evaluateLabelled.prefault({}),
  ...ending,
});

const ganImages = z.strictObject({
  name: z.enum(keysOf(imageSets)).describe("set of labelled images"),
  dir: z.string().optional().describe("folder of data sets, or of the official files themselves"),
  limit: count(0, "training images used, the first of the set; 0 is all").default(0),
  flip: z.boolean().default(false).describe("mirrors every other training image"),
});

const ganModel = z.strictObject({ name: z.enum(keysOf(ganPresets)).describe("architecture") });

const evaluateGan = z.strictObject({
  every: everySteps,
  images: count(0, "test images a validation takes, the first of the set; 0 is all").default(1000),
});

const sampleGan = z.strictObject({
  every: count(0, "steps between pictures of samples in the run's folder; 0 only at the end").default(100),
  columns: count(1, "images of each class in a picture").default(10),
});

/** A generator of images of a class, and the discriminator that it learns from. */
const ganSchema = z.strictObject({
  task: z.literal("gan").describe(taskDoc),
  ...start,
  data: ganImages,
  model: ganModel,
  batch: count(1, "images of an update").default(64),
  discriminatorSteps: count(1, "updates of the discriminator for each of the generator").default(1),
  ...training,
  evaluate: evaluateGan.prefault({}),
  sample: sampleGan.prefault({}),
  ...ending,
});

/** The schemas by task. */
export const configSchemas = {
  language: languageSchema,
  images: imagesSchema,
  masked: maskedSchema,
  texts: textsSchema,
  gan: ganSchema,
} as const;

/** What a configuration can be about. */
export type TaskName = keyof typeof configSchemas;

/** A configuration with every default filled in; `precision` and the optimisers' options are still unresolved. */
export type ParsedConfig =
  | ParsedLanguageConfig
  | ParsedImagesConfig
  | ParsedMaskedConfig
  | ParsedTextsConfig
  | ParsedGanConfig;
export type ParsedLanguageConfig = z.output<typeof languageSchema>;
export type ParsedImagesConfig = z.output<typeof imagesSchema>;
export type ParsedMaskedConfig = z.output<typeof maskedSchema>;
export type ParsedTextsConfig = z.output<typeof textsSchema>;
export type ParsedGanConfig = z.output<typeof ganSchema>;

/** The JSON schema of a config file, for editors: put its path under `$schema`. */
export function configSchemaJson(): Record<string, unknown> {
  return z.toJSONSchema(z.union(Object.values(configSchemas)), { io: "input" });
}

/** The JSON schema of one task's configuration. */
export function taskSchemaJson(task: TaskName): Record<string, unknown> {
  return z.toJSONSchema(configSchemas[task], { io: "input" });
}
