/** What a configuration of a language model needs beyond its schema. */
import { languagePresets } from "../../src/models/language-presets.ts";
import type { LanguageModelConfig } from "../../src/models/model.ts";
import { models } from "../../src/models/models.generated.ts";
import { isJsonObject, type JsonObject } from "../../src/train/json.ts";
import { ConfigError } from "./config-error.ts";
import { mergeLayers } from "./merge.ts";
import type { ParsedLanguageConfig } from "./schema.ts";

/** A language model's architecture with all of its sizes. */
export type LanguageModelOptions = ParsedLanguageConfig["model"] &
  Pick<LanguageModelConfig, "init"> & { readonly hidden: number };

/** Sizes of the model's preset under those that are given. */
export function withPreset(given: JsonObject): JsonObject {
  const { model } = given;
  const preset = isJsonObject(model) ? model.preset : undefined;
  if (typeof preset !== "string" || !Object.hasOwn(languagePresets, preset)) return given;
  return mergeLayers({ model: { ...languagePresets[preset] } }, given);
}

/** Fills in what depends on the architecture. @throws ConfigError for sizes and initial values that do not fit. */
export function resolveModel({ model }: ParsedLanguageConfig): LanguageModelOptions {
  const { name, width, heads } = model;
  const definition = models[name as keyof typeof models];
  if (width % heads !== 0)
    throw new ConfigError([`"model.width" is ${width}, wants a multiple of "model.heads", ${heads}`]);
  const { inits } = definition;
  const { init = inits[0], hidden = definition.hidden(width) } = model;
  if (!inits.includes(init))
    throw new ConfigError([`"model.init" is "${init}", ${name} wants ${inits.join(" or ")}`]);
  return { ...model, init, hidden };
}

/** A text comes from one place, and bytes that are no text have no words. @throws ConfigError. */
export function checkText({ data }: ParsedLanguageConfig): void {
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
