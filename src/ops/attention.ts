/** Multi-head causal self-attention. */
import type { LayerPolicy } from "../precision/policy.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { headsOf } from "./attention-layout.ts";
import { fusedCausalAttention } from "./fused-attention.ts";
import type { LayerPrecision } from "./operand.ts";
import { quantisedAttention } from "./quantised-attention.ts";

/**
 *   P = softmax(Q Kᵀ / √width, causal);   y = P V, each head by itself
 *
 * Operands that stay in float32 go through the fused kernel; where a policy rounds them, the products are computed one by
 * one.
 *
 * @param qkv    [batch · length, 3 · heads · width]: query, key, value side by side, heads inside each
 * @param batch  number of sequences
 * @param heads  number of heads
 * @param precision  formats of the products' operands; default float32.
 * @returns [batch · length, heads · width]
 * @throws ShapeError when the sizes do not divide.
 * @source Vaswani et al. 2017, Attention is all you need, equation 1.
 */
export function causalAttention(
  qkv: Tensor,
  batch: number,
  heads: number,
  precision: LayerPrecision | null = null,
): Tensor {
  expectShape("causalAttention", qkv, null, null);
  const h = headsOf(qkv.shape[0], qkv.shape[1], batch, heads);
  return precision !== null && quantisesProducts(precision.policy)
    ? quantisedAttention(qkv, h, precision)
    : fusedCausalAttention(qkv, batch, heads);
}

/** Whether a product of activations reads anything but float32. */
const quantisesProducts = ({ activation, error, passes }: LayerPolicy): boolean =>
  activation !== null || (error !== null && passes === "both");
