/** The training configuration: the one description behind config files, flags, help and JSON schema. */
import * as z from "zod";
import { count, fraction } from "./schema-fields.ts";
import { ganImages, images, labelledTexts, text } from "./schema-data.ts";
import { encoderModel, ganModel, imageModel, languageModel, textModel } from "./schema-models.ts";
import {
  evaluateGan,
  evaluateImages,
  evaluateLabelled,
  evaluateText,
  ending,
  sample,
  sampleGan,
  start,
  training,
} from "./schema-training.ts";

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
