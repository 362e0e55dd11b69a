/** Precision policies: in which format each kind of tensor is held, as data. */
import type { Rounding } from "../formats/format.ts";

/**
 * What values are divided by before they are encoded:
 *
 * - `tensor`  one number for the tensor: its largest magnitude; for stored weights the clamp σ* fixed at the start, for
 *   moments a bound that the optimiser knows;
 * - `channel` one for every output channel of a weight or feature of an activation: operands of products only;
 * - a number  always that one, a power of two so that dividing is exact. It is the value of a ladder's top rung: of a
 *   first moment in units of √v. Floats have a range of their own, and as state no scale.
 */
export type ScaleRule = "tensor" | "channel" | number;

export interface TensorPrecision {
  /** A name that `format` knows. */
  readonly format: string;
  readonly rounding: Rounding;
  readonly scale: ScaleRule;
}

/** Names of a policy's entries, moments apart. */
export const tensorRoles = ["weight", "activation", "error", "gradient", "update", "embedding"] as const;
export type TensorRole = (typeof tensorRoles)[number];

/** The precision of each kind of tensor; null is float32, untouched. */
export interface Policy extends Readonly<Record<TensorRole, TensorPrecision | null>> {
  readonly name: string;
  /** Weights as operands of products. Weights stored as codes (see `update`) are read as they are. */
  readonly weight: TensorPrecision | null;
  /** Inputs of products, also as saved for the backward pass. */
  readonly activation: TensorPrecision | null;
  /** Gradients with respect to the outputs of products, as operands of the backward products. */
  readonly error: TensorPrecision | null;
  /** Gradients of weights, as the optimiser reads them. */
  readonly gradient: TensorPrecision | null;
  /** Weights between steps: what the optimiser writes. */
  readonly update: TensorPrecision | null;
  /**
   * Embeddings between steps, where a rule of their own trains them; else `update` holds. A wider range than
   * that of other weights serves them: under an additive rule they pass through zero.
   */
  readonly embedding: TensorPrecision | null;
  /** The optimiser's state between steps: momentum (first) and mean square of the gradient (second). */
  readonly moment: { readonly first: TensorPrecision | null; readonly second: TensorPrecision | null };
}
