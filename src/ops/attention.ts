/** Multi-head self-attention. */
import type { LayerPolicy } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { headsOf } from "./attention-layout.ts";
import { checkedDropout, fusedSelfAttention } from "./fused-attention.ts";
import type { LayerPrecision } from "./operand.ts";
import { quantisedAttention } from "./quantised-attention.ts";

/** {@link selfAttention} in which a token sees those before it and itself. */
export const causalAttention = (
  qkv: Tensor,
  batch: number,
  heads: number,
  precision: LayerPrecision | null = null,
  drop: ProbabilityDropout = {},
): Tensor => selfAttention(qkv, batch, heads, true, precision, drop);

/** Dropping of attention's probabilities. */
export interface ProbabilityDropout {
  /** Probability of dropping; default 0. */
  readonly dropout?: number;
  /** Of the draws; one for every use and step. Wanted where `dropout` > 0. */
  readonly key?: Key;
}

/**
 *   P = softmax(Q Kᵀ / √width);   y = P V, each head by itself
 *
 * Operands that stay in float32 go through the fused kernel; where a policy rounds them, the products are computed one by
 * one.
 *
 * @param qkv    [batch · length, 3 · heads · width]: query, key, value side by side, heads inside each
 * @param batch  number of sequences
 * @param heads  number of heads
 * @param causal  whether a token sees those before it and itself only, or all of its sequence
 * @param precision  formats of the products' operands; default float32.
 * @param drop  applied to P, by the same draws on either way. Default none.
 * @returns [batch · length, heads · width]
 * @throws ShapeError when the sizes do not divide; RangeError when `dropout` is outside [0, 1) or lacks its key.
 * @source Vaswani et al. 2017, Attention is all you need, equation 1.
 */
export function selfAttention(
  qkv: Tensor,
  batch: number,
  heads: number,
  causal: boolean,
  precision: LayerPrecision | null = null,
  drop: ProbabilityDropout = {},
): Tensor {
  expectShape("selfAttention", qkv, null, null);
  const h = headsOf(qkv.shape[0], qkv.shape[1], batch, heads, causal);
  return precision !== null && quantisesProducts(precision.policy)
    ? quantisedAttention(qkv, h, precision, checkedDropout(drop))
    : fusedSelfAttention(qkv, batch, heads, causal, drop);
}

/** Whether a product of activations reads anything but float32. */
const quantisesProducts = ({ activation, error, passes }: LayerPolicy): boolean =>
  activation !== null || (error !== null && passes === "both");
