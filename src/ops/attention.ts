/** Multi-head self-attention. */
import type { LayerPolicy } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { headsOf } from "./attention-layout.ts";
import { checkedDropout, fusedSelfAttention } from "./fused-attention.ts";
import type { LayerPrecision } from "./operand.ts";
import { paddedAttention } from "./padded-attention.ts";
import { quantisedAttention } from "./quantised-attention.ts";

/** {@link selfAttention} in which a token sees those before it and itself. */
export const causalAttention = (
  qkv: Tensor,
  batch: number,
  heads: number,
  precision: LayerPrecision | null = null,
  options: SelfAttentionOptions = {},
): Tensor => selfAttention(qkv, batch, heads, true, precision, options);

/** What {@link selfAttention} can be told. */
export interface SelfAttentionOptions {
  /** Probability of dropping a probability of attention, by the same draws on either way (padded sequences: each its own). Default 0. */
  readonly dropout?: number;
  /** Of the draws; one for every use and step. Wanted where `dropout` > 0. */
  readonly key?: Key;
  /**
   * Tokens of each sequence, from 1 to `length`: the rows after them are padding, which no token sees and whose own
   * results stand for nothing. Default none is padded.
   */
  readonly lengths?: ArrayLike<number> | null;
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
 * @returns [batch · length, heads · width]
 * @throws ShapeError when the sizes do not divide or a length does not fit; RangeError when `dropout` is outside [0, 1) or lacks its key.
 * @source Vaswani et al. 2017, Attention is all you need, equation 1.
 */
export function selfAttention(
  qkv: Tensor,
  batch: number,
  heads: number,
  causal: boolean,
  precision: LayerPrecision | null = null,
  { lengths = null, ...drop }: SelfAttentionOptions = {},
): Tensor {
  expectShape("selfAttention", qkv, null, null);
  const h = headsOf(qkv.shape, batch, heads, causal, lengths);
  if (precision !== null && quantisesProducts(precision.policy))
    return quantisedAttention(qkv, h, precision, checkedDropout(drop));
  return lengths
    ? paddedAttention(qkv, h, lengths, drop)
    : fusedSelfAttention(qkv, batch, heads, causal, drop);
}

/** Whether a product of activations reads anything but float32. */
const quantisesProducts = ({ activation, error, passes }: LayerPolicy): boolean =>
  activation !== null || (error !== null && passes === "both");
