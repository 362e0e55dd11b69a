/** Trainable tensors, by name. */
import type { Tensor } from "./tensor.ts";

/**
 * What a parameter is for. Optimisers choose by it: multiplicative rules leave biases and norms to an additive one,
 * since zeros never move under them.
 */
export type ParameterKind = "matrix" | "embedding" | "bias" | "norm";

/** One trainable tensor. Its memory may change form (float32 to codes) before training; readers take `tensor` anew. */
export interface Parameter {
  readonly name: string;
  readonly kind: ParameterKind;
  tensor: Tensor;
}
