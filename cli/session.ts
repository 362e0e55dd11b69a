/** From a resolved configuration to a device, a model and its trainer. */
import { openTokenizer } from "../src/data/language-data.ts";
import { specialSymbols } from "../src/data/special-symbols.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { format as formatOf } from "../src/formats/index.ts";
import type { Backend } from "../src/kernels/backend.ts";
import { createReferenceBackend } from "../src/kernels/reference/index.ts";
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { encoders } from "../src/models/encoders.generated.ts";
import { ganPreset } from "../src/models/gan.ts";
import type { ImageTask } from "../src/models/image-model.ts";
import { imageDefinition } from "../src/models/image-presets.ts";
import { models } from "../src/models/models.generated.ts";
import { optimizers } from "../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import { parsePolicy } from "../src/precision/parse-policy.ts";
import type { Policy } from "../src/precision/policy.ts";
import { Device } from "../src/tensor/device.ts";
import type { Parameter } from "../src/tensor/parameter.ts";
import {
  latestCheckpoint,
  type LoadedCheckpoint,
  namedCheckpoint,
  olderOffer,
} from "../src/train/checkpoint-folder.ts";
import { type Checkpoint, CheckpointError } from "../src/train/checkpoint.ts";
import { createGanTrainer, type GanTrainer } from "../src/train/gan-trainer.ts";
import { isJsonObject, type JsonObject } from "../src/train/json.ts";
import { createImageTrainer, type ImageTrainer } from "../src/train/image-trainer.ts";
import { createTrainer, type LanguageTrainer } from "../src/train/language-trainer.ts";
import { createMaskedTrainer, type MaskedTrainer } from "../src/train/masked-trainer.ts";
import { readRunConfig } from "../src/train/run-folder.ts";
import { keptTokenizer } from "../src/train/run-tokenizer.ts";
import { misfit, restore } from "../src/train/snapshot.ts";
import { createTextTrainer, type TextTrainer } from "../src/train/text-trainer.ts";
import type { TrainerState, TrainingOptions } from "../src/train/trainer.ts";
import {
  resolveConfig,
  type GanRunConfig,
  type ImagesConfig,
  type LanguageConfig,
  type MaskedConfig,
  type OptimizerConfig,
  type TextsConfig,
  type TrainConfig,
} from "./config/resolve.ts";
import { folderChannels, folderSizes } from "./config/images.ts";
import { resumeConflicts } from "./config/resume.ts";
import { UsageError } from "./errors.ts";
import { imageFolderName, imageSets } from "./image-sets.ts";
import { keptClasses } from "./kept-classes.ts";

interface Opened {
  readonly policy: Policy;
  readonly device: Device;
  readonly threads: number;
  close(): Promise<void>;
}

/** A language model at work. */
export interface LanguageSession extends Opened {
  readonly task: "language";
  readonly config: LanguageConfig;
  readonly trainer: LanguageTrainer;
  readonly tokenizer: Tokenizer;
}

/** A classifier of images at work. */
export interface ImagesSession extends Opened {
  readonly task: "images";
  readonly config: ImagesConfig;
  readonly trainer: ImageTrainer;
}

/** An encoder that tells hidden symbols at work. */
export interface MaskedSession extends Opened {
  readonly task: "masked";
  readonly config: MaskedConfig;
  readonly trainer: MaskedTrainer;
  readonly tokenizer: Tokenizer;
}

/** A classifier of texts at work. */
export interface TextsSession extends Opened {
  readonly task: "texts";
  readonly config: TextsConfig;
  readonly trainer: TextTrainer;
  readonly tokenizer: Tokenizer;
  readonly classes: readonly string[];
}

/** A GAN at work. */
export interface GanSession extends Opened {
  readonly task: "gan";
  readonly config: GanRunConfig;
  readonly trainer: GanTrainer;
}

/** A model at work. Close it when done. */
export type Session = LanguageSession | ImagesSession | MaskedSession | TextsSession | GanSession;

async function openBackend({
  backend,
  threads,
}: TrainConfig): Promise<{ backend: Backend; threads: number }> {
  if (backend === "reference")
    return { backend: createReferenceBackend({ precision: "float32" }), threads: 1 };
  const wasm = await createWasmBackend(threads > 0 ? { threads } : {});
  return { backend: wasm, threads: wasm.info.threads };
}

/** Opens a device for a trainer; closes it where the trainer cannot be made. */
async function opened<T>(
  config: TrainConfig,
  build: (options: TrainingOptions, device: Device) => Promise<T>,
): Promise<Opened & { readonly trainer: T }> {
  const policy = parsePolicy(config.precision);
  const { backend, threads } = await openBackend(config);
  const device = new Device(backend);
  const close = (): Promise<void> => device.close();
  try {
    const trainer = await build(trainingOptions(config, policy, device), device);
    return { policy, device, threads, trainer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Builds the language model of a configuration, in the formats of its policy.
 *
 * @param weights  its float32 weights by name; default fresh ones.
 */
export async function openLanguage(
  config: LanguageConfig,
  tokenizer: Tokenizer,
  weights?: ReadonlyMap<string, Float32Array>,
): Promise<LanguageSession> {
  const { dropout: _, preset: __, name, ...sizes } = config.model;
  const all = { ...sizes, vocabulary: tokenizer.vocabulary };
  const made = await opened(config, (options, device) => {
    const model = models[name as keyof typeof models].build(device, all, config.seed);
    fill(model.parameters, weights);
    return createTrainer({ ...options, model });
  });
  return { ...made, task: "language", config, tokenizer };
}

/** Writes the weights that are given over the fresh ones. */
function fill(
  parameters: readonly Parameter[],
  weights: ReadonlyMap<string, Float32Array> | undefined,
): void {
  for (const { name, tensor } of parameters) {
    const given = weights?.get(name);
    if (given) tensor.device.backend.write(tensor.storage.slice(), given);
  }
}

/**
 * The images of a configuration and their classes, as a model is built for.
 *
 * @param classes  of a folder.
 */
export function imageTaskOf(config: ImagesConfig | GanRunConfig, classes: readonly string[] = []): ImageTask {
  const { data } = config;
  if (config.task === "images" && data.name === imageFolderName) {
    const { size } = folderSizes(config.data);
    return { channels: folderChannels, height: size, width: size, classes: classes.length };
  }
  const { channels, height, width, classes: own } = imageSets[data.name];
  return { channels, height, width, classes: own.length };
}

/**
 * Builds the classifier of a configuration, in the formats of its policy.
 *
 * @param weights  its float32 weights by name; default fresh ones, also for those that are missing.
 */
export async function openImages(
  config: ImagesConfig,
  task: ImageTask,
  weights?: ReadonlyMap<string, Float32Array>,
): Promise<ImagesSession> {
  const { model, labelSmoothing, seed } = config;
  const made = await opened(config, (options, device) => {
    const built = imageDefinition(model).build(device, task, seed);
    fill(built.parameters, weights);
    return createImageTrainer({ ...options, model: built, labelSmoothing });
  });
  return { ...made, task: "images", config };
}

/** Builds the encoder of a configuration with fresh weights, in the formats of its policy. */
export async function openMasked(config: MaskedConfig, tokenizer: Tokenizer): Promise<MaskedSession> {
  const { definition, sizes } = encoderOf(config, tokenizer);
  const made = await opened(config, (options, device) =>
    createMaskedTrainer({ ...options, model: definition.masked(device, sizes, config.seed) }),
  );
  return { ...made, task: "masked", config, tokenizer };
}

/**
 * Builds the classifier of a configuration, in the formats of its policy.
 *
 * @param weights  its float32 weights by name; default fresh ones, also for those that are missing.
 */
export async function openTexts(
  config: TextsConfig,
  tokenizer: Tokenizer,
  classes: readonly string[],
  weights?: ReadonlyMap<string, Float32Array>,
): Promise<TextsSession> {
  const { definition, sizes } = encoderOf(config, tokenizer);
  const { seed, labelSmoothing } = config;
  const made = await opened(config, (options, device) => {
    const model = definition.classifier(device, sizes, classes.length, seed);
    fill(model.parameters, weights);
    return createTextTrainer({ ...options, model, labelSmoothing });
  });
  return { ...made, task: "texts", config, tokenizer, classes };
}

function encoderOf({ model }: MaskedConfig | TextsConfig, tokenizer: Tokenizer) {
  const { layers, width, heads, context, hidden, init, recompute, name } = model;
  const sizes = { layers, width, heads, context, hidden, init, recompute };
  const { vocabulary } = specialSymbols(tokenizer.vocabulary);
  return { definition: encoders[name as keyof typeof encoders], sizes: { ...sizes, vocabulary } };
}

/** Builds the GAN of a configuration with fresh weights, in the formats of its policy. */
export async function openGan(config: GanRunConfig): Promise<GanSession> {
  const { model, discriminatorSteps, seed } = config;
  const made = await opened(config, (options, device) => {
    const built = ganPreset(model.name).build(device, imageTaskOf(config), seed);
    return createGanTrainer({ ...options, model: built, discriminatorSteps });
  });
  return { ...made, task: "gan", config };
}

/** The tokeniser that a run was begun with. @throws TokenizerError, FileError where its files are missing or damaged. */
export const tokenizerOf = async (
  run: string,
  { data }: Exclude<TrainConfig, ImagesConfig | GanRunConfig>,
): Promise<Tokenizer> => openTokenizer(data.level, await keptTokenizer(run));

function trainingOptions(config: TrainConfig, policy: Policy, device: Device): TrainingOptions {
  const main = optimizerOf(config.optimizer);
  const exempt = optimizerOf(config.exempt.optimizer);
  return {
    device,
    policy,
    optimizer: main.optimizer,
    options: main.options,
    exemptOptimizer: exempt.optimizer,
    exemptOptions: exempt.options,
    exemptEmbeddings: config.exempt.embeddings,
    schedule: config.schedule,
    steps: config.steps,
    seed: config.seed,
    dropout: config.task === "gan" ? 0 : config.model.dropout,
    gradientClip: config.gradientClip > 0 ? config.gradientClip : null,
    gradientClipValue: config.gradientClipValue > 0 ? config.gradientClipValue : null,
    accumulate: config.accumulate,
    samples: config.samples,
    average: averageOf(config),
    zeros: config.zeros,
    groups: config.groups.map(({ pattern, optimizer, precision }) => ({
      pattern,
      ...optimizerOf(optimizer),
      ...(precision === undefined ? {} : { policy: parsePolicy(precision) }),
    })),
  };
}

/** Averages move by less than a code's distance a step, so they are rounded stochastically. */
function averageOf({ average: { decay, format } }: TrainConfig) {
  if (decay === 0) return null;
  const coded = formatOf(format).coding.kind !== "float32";
  return { decay, precision: coded ? ({ format, rounding: "stochastic", scale: "tensor" } as const) : null };
}

/** The name has been checked by the configuration. */
function optimizerOf({ name, ...options }: OptimizerConfig) {
  return { optimizer: optimizers[name as keyof typeof optimizers] as Optimizer, options };
}

/** What a checkpoint says of the run besides its tensors. */
export interface Position {
  readonly step: number;
  readonly seconds: number;
  /** Sum of the data; empty where none has been seen. */
  readonly corpus: string;
}

/** @throws CheckpointError when the metadata is not a run's. */
export function positionOf({ path, checkpoint: { metadata } }: LoadedCheckpoint): Position {
  const { step, seconds, corpus } = metadata;
  if (typeof step !== "number" || typeof seconds !== "number" || typeof corpus !== "string") {
    throw new CheckpointError(path, "foreign", "its metadata lacks step, seconds or corpus");
  }
  return { step, seconds, corpus };
}

/**
 * Writes a checkpoint over a session's fresh state, all or nothing.
 *
 * @throws CheckpointError when its tensors or its settings are another run's; the message offers an older one.
 */
export async function restoreSession(
  { config, trainer }: Session,
  run: string,
  loaded: LoadedCheckpoint,
): Promise<void> {
  const tensors = trainer.tensors();
  const faultOf = ({ tensors: saved, metadata }: Checkpoint): string | undefined =>
    misfit(tensors, saved) ?? otherRun(metadata, config);
  const fault = faultOf(loaded.checkpoint);
  if (fault !== undefined) {
    const offer = await olderOffer(run, loaded.step, (checkpoint) => faultOf(checkpoint) === undefined);
    throw new CheckpointError(loaded.path, "unfit", fault, offer);
  }
  restore(tensors, loaded.checkpoint.tensors);
  trainer.resume(loaded.step, trainerState(loaded.checkpoint.metadata));
}

/** What the trainer kept; older checkpoints say nothing of it. */
function trainerState({ trainer }: JsonObject): TrainerState {
  const plateau = isJsonObject(trainer) ? trainer.plateau : undefined;
  if (!isJsonObject(plateau)) return {};
  const { best, waited, factor } = plateau;
  const known = typeof waited === "number" && typeof factor === "number";
  return known ? { plateau: { best: typeof best === "number" ? best : null, waited, factor } } : {};
}

function otherRun({ config: saved }: JsonObject, config: TrainConfig): string | undefined {
  const conflicts = isJsonObject(saved) ? resumeConflicts(saved, config) : [];
  return conflicts.length === 0 ? undefined : `it is of a run with another ${conflicts.join(", ")}`;
}

/** The checkpoint a user asked for, or the newest. */
export const loadedCheckpoint = (run: string, name: string | undefined): Promise<LoadedCheckpoint> =>
  name === undefined ? latestCheckpoint(run) : namedCheckpoint(run, name);

/** A run's model at a checkpoint. */
export type OpenedRun = Session & { readonly loaded: LoadedCheckpoint; readonly position: Position };

/** What only language models can do. @throws UsageError for a run of another task. */
export function expectLanguage<T>(run: Session & T, what: string): LanguageSession & T {
  if (run.task === "language") return run;
  const learns = {
    images: "images",
    masked: "hidden symbols of a text",
    texts: "classes of texts",
    gan: "to make images",
  };
  throw new UsageError(
    `${what} wants a run of a language model, this one (${run.config.model.name}) learns ${learns[run.task]}`,
  );
}

/** Opens a run's model at a checkpoint, to score it or to sample from it. */
export async function openRun(
  run: string,
  checkpoint: string | undefined,
  changes: JsonObject = {},
): Promise<OpenedRun> {
  const saved = await readRunConfig(run);
  const loaded = await loadedCheckpoint(run, checkpoint);
  const position = positionOf(loaded);
  const config = await resolveConfig({ base: merged(saved, changes) });
  const session = await openFresh(config, run);
  try {
    await restoreSession(session, run, loaded);
  } catch (error) {
    await session.close();
    throw error;
  }
  return { ...session, loaded, position };
}

async function openFresh(config: TrainConfig, run: string): Promise<Session> {
  switch (config.task) {
    case "language":
      return openLanguage(config, await tokenizerOf(run, config));
    case "images":
      return openImages(config, imageTaskOf(config, await classesOfFolder(config, run)));
    case "masked":
      return openMasked(config, await tokenizerOf(run, config));
    case "gan":
      return openGan(config);
    case "texts":
      return openTexts(config, await tokenizerOf(run, config), await keptClasses(run));
  }
}

/** The classes of a run on a folder of images; those of a set are its own. */
export const classesOfFolder = async ({ data }: ImagesConfig, run: string): Promise<string[] | undefined> =>
  data.name === imageFolderName ? keptClasses(run) : undefined;

function merged(base: JsonObject, changes: JsonObject): JsonObject {
  const entries = Object.entries(changes).map(([key, value]) => {
    const before = base[key];
    return [key, isJsonObject(before) && isJsonObject(value) ? { ...before, ...value } : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}
