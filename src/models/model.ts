/** What training needs of a model. */
import { countParameters, type LayerSpec } from "../nn/layer-specs.ts";
import type { OutputLayer } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A model that gives each next symbol of sequences a probability. */
export interface LanguageModel {
  readonly parameters: readonly Parameter[];
  /** Longest sequence it takes. */
  readonly context: number;
  readonly vocabulary: number;
  /** Names of what reads or keeps tensors in a policy's formats, in the order of the forward pass. */
  readonly layers: readonly string[];
  /** The layer that makes logits of {@link states}, its tensors as they are now. */
  readonly output: OutputLayer;
  /**
   * What the output layer reads. Losses are computed from it (`outputLoss`) without the logits of all symbols at once.
   *
   * @param ids    [sequences · length] int32, sequences one after the other
   * @param batch  number of sequences
   * @returns [sequences · length, width]
   */
  states(ids: Tensor, batch: number, pass: Pass): Tensor;
  /** The same through the output layer. @returns logits, [sequences · length, vocabulary] */
  logits(ids: Tensor, batch: number, pass: Pass): Tensor;
}

/** Ways to draw initial weights; an architecture knows some of them. */
export const languageInits = ["fan-in", "gpt2", "pytorch"] as const;
export type LanguageInit = (typeof languageInits)[number];

/** Sizes that every language model is built from. */
export interface LanguageModelConfig {
  readonly vocabulary: number;
  readonly context: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly init: LanguageInit;
  /** Inner width of each block's two linear layers; default the architecture's. */
  readonly hidden?: number;
  /** Keeps only the input of each block for the backward pass and computes the block again there. Default false. */
  readonly recompute?: boolean;
}

/** An architecture. Registered by being exported as `model`. */
export interface LanguageModelDefinition {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Ways to draw its initial weights, the usual one first. */
  readonly inits: readonly [LanguageInit, ...LanguageInit[]];
  /** Usual inner width of its blocks. */
  hidden(width: number): number;
  /** Its layers, described and not made. @throws RangeError for sizes that do not fit. */
  layers(config: LanguageModelConfig): readonly LayerSpec[];
  /** Fresh float32 parameters, drawn from the seed. @throws RangeError for sizes that do not fit. */
  build(device: Device, config: LanguageModelConfig, seed: number): LanguageModel;
}

/** Parameters of a model that is not made: nothing is allocated. @throws as {@link LanguageModelDefinition.layers}. */
export const languageParameterCount = (
  definition: LanguageModelDefinition,
  config: LanguageModelConfig,
): number => countParameters(definition.layers(config));

/** @throws RangeError as {@link checkCounts}, and when init is another's. */
export function checkSizes(
  { name, inits }: Pick<LanguageModelDefinition, "name" | "inits">,
  config: LanguageModelConfig,
): void {
  checkCounts(name, config);
  const { init } = config;
  if (!inits.includes(init))
    throw new RangeError(`logrung: ${name}'s init is "${init}", wants ${inits.join(" or ")}`);
}

/** @throws RangeError when a size is no positive integer or the width does not divide by the heads. */
export function checkCounts(name: string, config: Omit<LanguageModelConfig, "init">): void {
  for (const key of ["vocabulary", "context", "layers", "width", "heads", "hidden"] as const) {
    const value = config[key] ?? 1;
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`logrung: ${name}'s ${key} is ${value}, wants a positive integer`);
  }
  const { width, heads } = config;
  if (width % heads !== 0)
    throw new RangeError(`logrung: ${name}'s width ${width} does not divide by its ${heads} heads`);
}
