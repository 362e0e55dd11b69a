/** The probabilities of attention, to look at: products one by one, outside of training. */
import type { Key } from "../random/stream.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { headsOf } from "./attention-layout.ts";
import { freeRounded, type LayerPrecision } from "./operand.ts";
import { dequantise } from "./quantise.ts";
import { headProbabilities } from "./quantised-attention.ts";
import { alongColumns } from "./stacked.ts";

/** Probabilities of all heads, float32 [batch · heads · length, length]; a row belongs to a query. */
export interface AttentionProbabilities {
  /** As the softmax gives them: each row sums to one. */
  readonly softmax: Tensor;
  /** As the product with the values reads them: rounded where the policy rounds activations, else `softmax` itself. */
  readonly read: Tensor;
}

/**
 *   P = softmax(Q(q) Q(k)ᵀ / √width),   read = Q(P)
 *
 * Query, key and probabilities are rounded as `selfAttention` rounds them under the same precision, so that in evaluation these are
 * the numbers it computes with (in float32 up to the order of its sums). It takes length² numbers a head, which the fused
 * kernel never has. Nothing is recorded for a backward pass.
 *
 * @param qkv      [batch · length, 3 · heads · width], as `selfAttention` takes it.
 * @param lengths  tokens of each sequence, the rest being padding: no token sees it. Default none is padded.
 * @throws ShapeError when the sizes do not divide or a length does not fit.
 */
export function attentionProbabilities(
  qkv: Tensor,
  batch: number,
  heads: number,
  causal: boolean,
  precision: LayerPrecision | null = null,
  lengths: ArrayLike<number> | null = null,
): AttentionProbabilities {
  expectShape("attentionProbabilities", qkv, null, null);
  const h = headsOf(qkv.shape, batch, heads, causal, lengths);
  const rounding = precision?.policy.activation ?? null;
  const key = (purpose: string) => (): Key => precision?.key(purpose) ?? [0, 0];
  const operand = alongColumns(qkv, rounding, h.width, key("query, key and value"));
  const softmax = headProbabilities({ tensor: operand }, h);
  freeRounded(operand, qkv);
  const codes = alongColumns(softmax, rounding, h.length, key("probabilities"));
  const read = dequantise(codes);
  freeRounded(codes, softmax);
  return { softmax, read };
}
