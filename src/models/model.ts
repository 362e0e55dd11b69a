/** What training needs of a model. */
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
  /**
   * @param ids    [sequences · length] int32, sequences one after the other
   * @param batch  number of sequences
   * @returns logits, [sequences · length, vocabulary]
   */
  logits(ids: Tensor, batch: number, pass: Pass): Tensor;
}

/** Sizes that every language model is built from. */
export interface LanguageModelConfig {
  readonly vocabulary: number;
  readonly context: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly init: "fan-in" | "gpt2";
  /** Keeps only the input of each block for the backward pass and computes the block again there. Default false. */
  readonly recompute?: boolean;
}

/** An architecture. Registered by being exported as `model`. */
export interface LanguageModelDefinition {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Fresh float32 parameters, drawn from the seed. @throws RangeError for sizes that do not fit. */
  build(device: Device, config: LanguageModelConfig, seed: number): LanguageModel;
}
