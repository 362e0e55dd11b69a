/** What training needs of an encoder: a model whose symbols see those on both sides. */
import { countParameters, type LayerSpec } from "../nn/layer-specs.ts";
import type { OutputLayer } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LanguageModelConfig } from "./model.ts";

/** Symbols of sequences, padded to one length. */
export interface Sequences {
  /** [batch · length] int32, sequences one after the other. */
  readonly ids: Tensor;
  /** Number of sequences. */
  readonly batch: number;
  /** [batch · length] int32: 0 for symbols of a first text, 1 for those of a second. Default all 0. */
  readonly types?: Tensor | null;
  /** Symbols of each sequence; what comes after them is padding. Default none is padded. */
  readonly lengths?: ArrayLike<number> | null;
}

interface Encoder {
  readonly parameters: readonly Parameter[];
  /** Longest sequence it takes. */
  readonly context: number;
  readonly vocabulary: number;
  /** Names of what reads or keeps tensors in a policy's formats, in the order of the forward pass. */
  readonly layers: readonly string[];
}

/** A model that gives symbols that are hidden from it probabilities. */
export interface MaskedModel extends Encoder {
  /** The layer that makes logits of {@link statesAt}, its tensors as they are now. */
  readonly output: OutputLayer;
  /**
   * What the output layer reads of the symbols that are asked for.
   *
   * @param places  [n] int32: which of the batch · length symbols.
   * @returns [n, width]
   */
  statesAt(input: Sequences, places: Tensor, pass: Pass): Tensor;
  /** The same through the output layer. @returns logits, [n, vocabulary] */
  logits(input: Sequences, places: Tensor, pass: Pass): Tensor;
}

/** A model that gives each class of a text a logit. */
export interface TextClassifier extends Encoder {
  readonly classes: number;
  /** @returns logits, [batch, classes] */
  logits(input: Sequences, pass: Pass): Tensor;
}

/** Ways to draw initial weights. */
export const encoderInits = ["fan-in", "bert"] as const;
export type EncoderInit = (typeof encoderInits)[number];

/** Sizes of an encoder; the vocabulary counts its special symbols too. */
export interface EncoderConfig extends Omit<LanguageModelConfig, "init"> {
  readonly init: EncoderInit;
}

/** What an encoder ends in: its pooler alone, hidden symbols, or so many classes of a text. */
export type EncoderHead = "pooler" | "masked" | { readonly classes: number };

/** An encoder's architecture. Registered by being exported as `encoder`. */
export interface EncoderDefinition {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Usual inner width of its blocks. */
  hidden(width: number): number;
  /** Its layers, described and not made. @throws RangeError for sizes that do not fit. */
  layers(config: EncoderConfig, head: EncoderHead): readonly LayerSpec[];
  /** Fresh float32 parameters, drawn from the seed. @throws RangeError for sizes that do not fit. */
  masked(device: Device, config: EncoderConfig, seed: number): MaskedModel;
  /** The same; a parameter that both have starts alike. */
  classifier(device: Device, config: EncoderConfig, classes: number, seed: number): TextClassifier;
}

/** Parameters of an encoder that is not made. @throws as {@link EncoderDefinition.layers}. */
export const encoderParameterCount = (
  definition: EncoderDefinition,
  config: EncoderConfig,
  head: EncoderHead,
): number => countParameters(definition.layers(config, head));
