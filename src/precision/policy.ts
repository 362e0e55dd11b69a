/** Precision policies: in which format each kind of tensor is held, as data. */
import type { BlockScaleRule, BlockSize } from "../formats/block-format.ts";
import type { Rounding } from "../formats/format.ts";

export type { BlockScaleRule, BlockSize } from "../formats/block-format.ts";

/**
 * What values are divided by before they are encoded:
 *
 * - `none`    nothing: floats with a range of their own;
 * - `tensor`  one number for the tensor, see {@link TensorPrecision.from}; for stored weights the clamp σ* fixed at the
 *   start, for moments a bound that the optimiser knows;
 * - `channel` one for every output channel of a weight or feature of an activation: operands of products only;
 * - `block`   one for every block of adjacent elements along the reduction axis of a product;
 * - a number  always that one, a power of two so that dividing is exact. It is the value of a ladder's top rung: of a
 *   first moment in units of √v. Floats have a range of their own, and as state no scale.
 */
export type ScaleRule = "none" | "tensor" | "channel" | "block" | number;

export interface TensorPrecision {
  /** A name that `format` or `blockFormat` knows. */
  readonly format: string;
  readonly rounding: Rounding;
  readonly scale: ScaleRule;
  /** What a computed scale is taken from: the largest magnitude, or a multiple of the root mean square. Default max. */
  readonly from?: "max" | "rms";
  /** Rounds a computed scale up to a power of two. Default false; block scales have a format of their own. */
  readonly powerOfTwo?: boolean;
  /** Elements that share a scale, for `block`. Default: the format's (32; NVFP4 16). */
  readonly block?: BlockSize;
  /** For E8M0 block scales. Default floor, as OCP MX v1.0. */
  readonly scaleRule?: BlockScaleRule;
}

/** Roles of what products read, and of what is kept for the backward pass. */
export const passRoles = ["weight", "activation", "error", "saved"] as const;

/** Roles of what is held between steps, and of what the optimiser reads; moments apart. */
export const stateRoles = ["gradient", "update", "embedding"] as const;

/** Names of a policy's entries, moments apart. */
export const tensorRoles = [...passRoles, ...stateRoles] as const;
export type TensorRole = (typeof tensorRoles)[number];

/** Which passes run on quantised operands. */
export const passChoices = ["both", "forward-only"] as const;
export type Passes = (typeof passChoices)[number];

/** The precision of each kind of tensor of one layer; null is float32, untouched. */
export interface LayerPolicy extends Readonly<Record<TensorRole, TensorPrecision | null>> {
  /** Weights as operands of products. Codes that the optimiser stores are read as they are where this equals `update`. */
  readonly weight: TensorPrecision | null;
  /** Inputs of products, also as saved for the backward pass. */
  readonly activation: TensorPrecision | null;
  /** Gradients with respect to the outputs of products, as operands of the backward products. */
  readonly error: TensorPrecision | null;
  /** Inputs of operations that are no products (GELU, layer norm), as kept for the backward pass. */
  readonly saved: TensorPrecision | null;
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
  /**
   * `both`: every product reads quantised operands. `forward-only`: the backward products read what the forward
   * operands were before rounding, and unrounded errors, so operands are saved in float32.
   */
  readonly passes: Passes;
}

/** What a pattern of layers changes. */
export type LayerOverrides = Partial<LayerPolicy>;

/** The precision of a whole model. */
export interface Policy extends LayerPolicy {
  readonly name: string;
  /** Changes by pattern of layer names, in order: every pattern that matches applies, the later over the earlier. */
  readonly layers: Readonly<Record<string, LayerOverrides>>;
}
