/** What training needs of a model. */
import type { Pass } from "../nn/pass.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** A model that gives each next symbol of sequences a probability. */
export interface LanguageModel {
  readonly parameters: readonly Parameter[];
  /** Longest sequence it takes. */
  readonly context: number;
  readonly vocabulary: number;
  /**
   * @param ids    [sequences · length] int32, sequences one after the other
   * @param batch  number of sequences
   * @returns logits, [sequences · length, vocabulary]
   */
  logits(ids: Tensor, batch: number, pass: Pass): Tensor;
}
