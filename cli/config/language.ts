/** What a configuration of a model of texts needs beyond its schema. */
import { resolve } from "node:path";
import { encoderPresets } from "../../src/models/encoder-presets.ts";
import { encoders } from "../../src/models/encoders.generated.ts";
import { languagePresets } from "../../src/models/language-presets.ts";
import type { LanguageModelConfig } from "../../src/models/model.ts";
import { models } from "../../src/models/models.generated.ts";
import { isJsonObject, type JsonObject } from "../../src/train/json.ts";
import { readRunConfig } from "../../src/train/run-folder.ts";
import { ConfigError } from "./config-error.ts";
import { mergeLayers } from "./merge.ts";
import type { ParsedLanguageConfig, ParsedMaskedConfig, ParsedTextsConfig } from "./schema.ts";

/** A language model's architecture with all of its sizes. */
export type LanguageModelOptions = ParsedLanguageConfig["model"] &
  Pick<LanguageModelConfig, "init"> & { readonly hidden: number };

/** An encoder's architecture with all of its sizes. */
export type EncoderModelOptions = ParsedMaskedConfig["model"] & { readonly hidden: number };

/** Sizes of the model's preset under those that are given. */
export function withPreset(given: JsonObject): JsonObject {
  const { model, task } = given;
  const preset = isJsonObject(model) ? model.preset : undefined;
  const known = task === "masked" || task === "texts" ? encoderPresets : languagePresets;
  if (typeof preset !== "string" || !Object.hasOwn(known, preset)) return given;
  return mergeLayers({ model: { ...known[preset] } }, given);
}

/** What a classifier has from the run that its encoder comes from. */
const inherited = ["name", "layers", "width", "heads", "hidden", "context", "init", "dropout"];

/**
 * Sizes and level of the run that the model starts from (`model.from`), under those that are given.
 *
 * @throws RunFolderError for what is no run, FileError.
 */
export async function withOrigin(given: JsonObject, cwd: string): Promise<JsonObject> {
  const from = isJsonObject(given.model) ? given.model.from : undefined;
  if (typeof from !== "string") return given;
  const { task, data, model } = await readRunConfig(resolve(cwd, from));
  // A run of another task is refused where its encoder is asked for.
  if (task !== "masked" || !isJsonObject(data) || !isJsonObject(model)) return given;
  const sizes = inherited.flatMap((key) => (model[key] === undefined ? [] : [[key, model[key]]]));
  const level = data.level === undefined ? {} : { level: data.level };
  return mergeLayers({ data: level, model: Object.fromEntries(sizes) }, given);
}

function checkHeads({ width, heads }: { readonly width: number; readonly heads: number }): void {
  if (width % heads !== 0)
    throw new ConfigError([`"model.width" is ${width}, wants a multiple of "model.heads", ${heads}`]);
}

/** Fills in what depends on the architecture. @throws ConfigError for sizes that do not fit. */
export function resolveEncoder<M extends ParsedMaskedConfig["model"]>({
  model,
}: {
  readonly model: M;
}): M & EncoderModelOptions {
  checkHeads(model);
  const { hidden = encoders[model.name as keyof typeof encoders].hidden(model.width) } = model;
  return { ...model, hidden };
}

/** Fills in what depends on the architecture. @throws ConfigError for sizes and initial values that do not fit. */
export function resolveModel({ model }: ParsedLanguageConfig): LanguageModelOptions {
  const { name, width } = model;
  const definition = models[name as keyof typeof models];
  checkHeads(model);
  const { inits } = definition;
  const { init = inits[0], hidden = definition.hidden(width) } = model;
  if (!inits.includes(init))
    throw new ConfigError([`"model.init" is "${init}", ${name} wants ${inits.join(" or ")}`]);
  return { ...model, init, hidden };
}

/** @throws ConfigError for columns that are neither a label's and a text's nor a second text's besides. */
export function checkLabelledTexts({ data: { columns } }: Pick<ParsedTextsConfig, "data">): void {
  if (columns === undefined || /^[^,]+(,[^,]+){1,2}$/.test(columns)) return;
  throw new ConfigError([
    `"data.columns" is "${columns}", wants a label's and a text's (label,text) or a second text's, too (label,text,second)`,
  ]);
}

/** A text comes from one place, and bytes that are no text have no words. @throws ConfigError. */
export function checkText({ data }: Pick<ParsedLanguageConfig, "data">): void {
  const { path, set, validation, encoding, level } = data;
  if (set !== undefined && (path !== undefined || validation !== undefined))
    throw new ConfigError([
      `"data.set" is "${set}", and "data.${path === undefined ? "validation" : "path"}" is given too: wants one of them`,
    ]);
  if (validation !== undefined && path === undefined)
    throw new ConfigError(['"data.validation" is given, "data.path" is not']);
  if (encoding === "bytes" && level !== "bytes")
    throw new ConfigError([`"data.encoding" is "bytes", but "data.level" is "${level}": wants utf-8`]);
}
