/** From what the user gave (recipe, file, flags) to one complete, checked configuration. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { format } from "../../src/formats/index.ts";
import { suggestion } from "../../src/formats/nearest-name.ts";
import { FileError } from "../../src/io/file-error.ts";
import { ganPresets } from "../../src/models/gan.ts";
import { type Options, resolveOptions } from "../../src/optim/options.ts";
import { isJsonObject, type JsonObject } from "../../src/train/json.ts";
import type { ConfigAssignment } from "../command.ts";
import { imageFolderName, imageSets } from "../image-sets.ts";
import { checkFit, checkImages } from "./images.ts";
import { recipes } from "../recipes/recipes.generated.ts";
import type { Recipe } from "../recipes/recipe.ts";
import { ConfigError, faultsOf } from "./config-error.ts";
import { checkEffects } from "./effects.ts";
import { flagLayer, optimizerFaults } from "./flags.ts";
import { configKeys } from "./keys.ts";
import { onItsLadder, optimizerNamed, usualPrecision } from "./ladders.ts";
import {
  checkLabelledTexts,
  checkText,
  type EncoderModelOptions,
  type LanguageModelOptions,
  resolveEncoder,
  resolveModel,
  withOrigin,
  withPreset,
} from "./language.ts";
import { mergeLayers } from "./merge.ts";
import {
  configSchemas,
  type ParsedConfig,
  type ParsedGanConfig,
  type ParsedImagesConfig,
  type ParsedLanguageConfig,
  type ParsedMaskedConfig,
  type ParsedTextsConfig,
  type TaskName,
} from "./schema.ts";

/** An optimiser's name and all of its options. */
export type OptimizerConfig = { readonly name: string } & Options;

/** A group of parameters with a rule of its own. */
export interface GroupConfig {
  readonly pattern: string;
  readonly optimizer: OptimizerConfig;
  /** As `parsePolicy` takes it; left out, the run's. */
  readonly precision?: string | JsonObject;
}

/** What is resolved beyond the schema's defaults. */
interface Resolved {
  readonly optimizer: OptimizerConfig;
  readonly groups: readonly GroupConfig[];
  readonly exempt: { readonly optimizer: OptimizerConfig; readonly embeddings: boolean };
  /** As `parsePolicy` takes it. */
  readonly precision: string | JsonObject;
}

/** A configuration of a language model in which nothing is left open. */
export type LanguageConfig = Omit<ParsedLanguageConfig, keyof Resolved | "model"> &
  Resolved & { readonly model: LanguageModelOptions };
/** The same of a model of images. */
export type ImagesConfig = Omit<ParsedImagesConfig, keyof Resolved> & Resolved;

/** The same of an encoder that tells hidden symbols. */
export type MaskedConfig = Omit<ParsedMaskedConfig, keyof Resolved | "model"> &
  Resolved & { readonly model: EncoderModelOptions };
/** The same of one that tells classes of texts. */
export type TextsConfig = Omit<ParsedTextsConfig, keyof Resolved | "model"> &
  Resolved & { readonly model: EncoderModelOptions & Pick<ParsedTextsConfig["model"], "from"> };

/** The same of a GAN. */
export type GanRunConfig = Omit<ParsedGanConfig, keyof Resolved> & Resolved;

/** A configuration in which nothing is left open. It is what `config.json` of a run holds. */
export type TrainConfig = LanguageConfig | ImagesConfig | MaskedConfig | TextsConfig | GanRunConfig;

export interface ConfigRequest {
  /** Name of a recipe, or path of a `.json` file (which may name a recipe to start from). */
  readonly source?: string | undefined;
  readonly assignments?: readonly ConfigAssignment[];
  /** The configuration of a run to go on with, in place of a recipe or file. */
  readonly base?: JsonObject;
  /** Folder that relative paths start from. Default the working folder. */
  readonly cwd?: string;
}

/**
 * Merges the layers (flags over file over recipe over defaults), fills in every default and checks every value.
 * Relative paths in `data.path` and `output` become absolute, so a run can be resumed from any folder.
 *
 * @throws ConfigError naming each wrong key or value, what is allowed and the nearest match.
 * @throws PolicyError, UnknownFormatError, OptionError from the schemas of precision and optimisers; RunFolderError where `model.from`
 *   is no run.
 */
export async function resolveConfig(request: ConfigRequest): Promise<TrainConfig> {
  const { assignments = [], cwd = process.cwd() } = request;
  const { layer, recipe } = await baseLayer(request, cwd);
  const given = mergeLayers(layer, flagLayer(assignments));
  const preset = withPreset(given);
  const config = check(request.base === undefined ? await withOrigin(preset, cwd) : preset);
  const missing = missingData(config);
  if (missing !== undefined && recipe?.builtInData !== true && request.base === undefined)
    throw new ConfigError([`"data.path" is missing: ${missing}`]);
  const complete = completed(config, cwd);
  if (request.base === undefined) checkEffects(config, complete);
  return complete;
}

/** What to say of data that are not named; undefined where they are. */
function missingData({ task, data }: ParsedConfig): string | undefined {
  if (task === "gan" || data.path !== undefined) return undefined;
  if (task === "images")
    return data.name === imageFolderName ? "which images? --data path/to/folder, or --data.name" : undefined;
  if (task === "texts") return "which labelled texts? --data path/to/any.tsv";
  return data.set === undefined ? "which text? --data path/to/any.txt, or --data.set" : undefined;
}

/**
 * The configuration of a run as it would be resolved today: what an older version did not know takes its default.
 *
 * @throws as {@link resolveConfig}.
 */
export function completeConfig(saved: JsonObject): TrainConfig {
  return completed(check(saved), process.cwd());
}

function completed(config: ParsedConfig, cwd: string): TrainConfig {
  if (config.task === "images") checkImages(config);
  else if (config.task === "gan") checkGan(config);
  else if (config.task === "texts") checkLabelledTexts(config);
  else checkText(config);
  checkBatch(config);
  if (config.average.decay > 0) format(config.average.format);
  const main = resolveOptimizer("optimizer", config.optimizer);
  const precision = resolvePrecision(config, main);
  const optimizer = onItsLadder(main, precision);
  const shared = {
    optimizer,
    exempt: {
      ...config.exempt,
      optimizer: resolveOptimizer("exempt.optimizer", config.exempt.optimizer),
    },
    groups: config.groups.map((group, i) => resolveGroup(`groups.${i}`, group, main, precision)),
    precision,
    ...(config.output !== undefined && { output: resolve(cwd, config.output) }),
  };
  switch (config.task) {
    case "language":
      return { ...located(config, cwd), model: resolveModel(config), ...shared };
    case "images":
      return { ...located(config, cwd), ...shared };
    case "gan":
      return { ...located(config, cwd), ...shared };
    case "masked":
      return { ...located(config, cwd), model: resolveEncoder(config), ...shared };
    case "texts": {
      const model = resolveEncoder(config);
      const from = model.from === undefined ? {} : { from: resolve(cwd, model.from) };
      return { ...located(config, cwd), model: { ...model, ...from }, ...shared };
    }
  }
}

/** Options that are not named are the run's own where the rule is. */
function resolveGroup(
  key: string,
  { pattern, optimizer: given, precision }: ParsedConfig["groups"][number],
  main: OptimizerConfig,
  usual: string | JsonObject,
): GroupConfig {
  const { name = main.name } = given;
  const base = name === main.name ? main : {};
  const own = resolveOptimizer(`${key}.optimizer`, { ...base, ...given, name });
  const optimizer = onItsLadder(own, (precision ?? usual) as string | JsonObject);
  if (precision === undefined) return { pattern, optimizer };
  return { pattern, optimizer, precision: precision as string | JsonObject };
}

/** Roles that are not named keep to what suits the optimiser. */
function resolvePrecision({ precision }: ParsedConfig, optimizer: OptimizerConfig): string | JsonObject {
  if (typeof precision === "string" || (precision && "preset" in precision))
    return precision as string | JsonObject;
  const usual = usualPrecision(optimizer);
  if (precision === undefined) return usual;
  return { ...(typeof usual === "string" ? { preset: usual } : usual), ...precision } as JsonObject;
}

/** What a configuration says it started from when that was no recipe: the schema's default. */
const noRecipe = "custom";

/** Keys of places that some tasks' data have. */
const noPlaces = { path: undefined, validation: undefined, vocabulary: undefined };

/** With absolute paths, so that a run can be resumed from any folder. */
function located<C extends ParsedConfig>(config: C, cwd: string): C {
  const { path, dir, validation, vocabulary } = { ...noPlaces, ...config.data };
  const places = Object.entries({ dir, vocabulary, validation }).flatMap(([key, place]) =>
    place === undefined ? [] : [[key, resolve(cwd, place)]],
  );
  const data = { ...config.data, ...Object.fromEntries(places) };
  if (path === undefined) return { ...config, data };
  return { ...config, data: { ...data, path: [path].flat().map((one) => resolve(cwd, one)) } };
}

async function baseLayer(
  request: ConfigRequest,
  cwd: string,
): Promise<{ layer: JsonObject; recipe?: Recipe }> {
  const { base, source } = request;
  if (base !== undefined) return { layer: base };
  if (source === undefined) return { layer: {} };
  if (!source.endsWith(".json")) return recipeLayer(source);
  const { $schema: _, ...file } = await readConfigFile(resolve(cwd, source));
  const name = file.recipe;
  if (typeof name !== "string" || name === noRecipe) return { layer: file };
  const { layer, recipe } = recipeLayer(name);
  return { layer: mergeLayers(layer, file), recipe };
}

function recipeLayer(name: string): { layer: JsonObject; recipe: Recipe } {
  const known: Readonly<Record<string, Recipe>> = recipes;
  if (!Object.hasOwn(known, name)) {
    const found = suggestion(name, Object.keys(known));
    throw new ConfigError([`unknown recipe "${name}" ${found}; a config file's name ends in .json`]);
  }
  return { layer: { ...known[name].config, recipe: name }, recipe: known[name] };
}

async function readConfigFile(path: string): Promise<JsonObject> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new FileError("read", path, cause);
  });
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new ConfigError([`"${path}" is not JSON: ${(cause as Error).message}`]);
  }
  throw new ConfigError([`"${path}" is not a JSON object`]);
}

function check(given: JsonObject): ParsedConfig {
  const task = taskOf(given);
  const parsed = configSchemas[task].safeParse(given);
  if (parsed.success) return parsed.data;
  const known = (path: string): string[] => keysUnder(path, task);
  throw new ConfigError(parsed.error.issues.flatMap((issue) => faultsOf(issue, given, known)));
}

/** Which schema judges the rest. */
function taskOf({ task = "language" }: JsonObject): TaskName {
  const known = Object.keys(configSchemas) as TaskName[];
  const found = known.find((name) => name === task);
  if (found !== undefined) return found;
  const came = typeof task === "string" ? task : JSON.stringify(task);
  throw new ConfigError([`"task" is ${JSON.stringify(task)} ${suggestion(came, known)}`]);
}

/** The full keys that an object of a task's configuration may have. */
function keysUnder(path: string, task: TaskName): string[] {
  const depth = path === "" ? 1 : path.split(".").length + 1;
  const below = configKeys(task).filter(({ key }) => path === "" || key.startsWith(`${path}.`));
  return [...new Set(below.map(({ key }) => key.split(".").slice(0, depth).join(".")))];
}

/** The set's images must fit the architecture. */
function checkGan({ data, model }: ParsedGanConfig): void {
  const { channels, height, width, classes } = imageSets[data.name];
  const task = { channels, height, width, classes: classes.length };
  checkFit(model.name, data.name, () => ganPresets[model.name].layers(task));
}

function checkBatch({ batch, accumulate }: ParsedConfig): void {
  if (batch % accumulate === 0) return;
  throw new ConfigError([`"accumulate" is ${accumulate}, wants a divisor of "batch", ${batch}`]);
}

function resolveOptimizer(key: string, { name, ...given }: ParsedConfig["optimizer"]): OptimizerConfig {
  const { options } = optimizerNamed(key, name);
  const faults = optimizerFaults(key, name, given as JsonObject, options);
  if (faults.length > 0) throw new ConfigError(faults);
  return { ...resolveOptions(name, options, given as Options), name };
}
