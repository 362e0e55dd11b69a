/** From a resolved configuration to a device, a model and its trainer. */
import { specialSymbolsOf } from "../src/data/special-symbols.ts";
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
import { createGanTrainer, type GanTrainer } from "../src/train/gan-trainer.ts";
import { createImageTrainer, type ImageTrainer } from "../src/train/image-trainer.ts";
import { createTrainer, type LanguageTrainer } from "../src/train/language-trainer.ts";
import { createMaskedTrainer, type MaskedTrainer } from "../src/train/masked-trainer.ts";
import { createTextTrainer, type TextTrainer } from "../src/train/text-trainer.ts";
import type { TrainingOptions } from "../src/train/trainer.ts";
import {
  type GanRunConfig,
  type ImagesConfig,
  type LanguageConfig,
  type MaskedConfig,
  type OptimizerConfig,
  type TextsConfig,
  type TrainConfig,
} from "./config/resolve.ts";
import { folderChannels, folderSizes } from "./config/images.ts";
import { imageFolderName, imageSets } from "./image-sets.ts";

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

/**
 * Builds the encoder of a configuration, in the formats of its policy.
 *
 * @param weights  its float32 weights by name; default fresh ones.
 */
export async function openMasked(
  config: MaskedConfig,
  tokenizer: Tokenizer,
  weights?: ReadonlyMap<string, Float32Array>,
): Promise<MaskedSession> {
  const { definition, sizes } = encoderOf(config, tokenizer);
  const made = await opened(config, (options, device) => {
    const model = definition.masked(device, sizes, config.seed);
    fill(model.parameters, weights);
    return createMaskedTrainer({ ...options, model });
  });
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
  const { vocabulary } = specialSymbolsOf(tokenizer);
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
