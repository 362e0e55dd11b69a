/** Multi-head causal self-attention. */
import type { LayerPolicy } from "../precision/policy.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { headsOf, joined, multiply, split, square, third, type Heads } from "./attention-layout.ts";
import type { LayerPrecision } from "./operand.ts";
import { quantisedAttention } from "./quantised-attention.ts";
import { softmaxGradientRows, softmaxRows } from "./softmax.ts";

/**
 *   P = softmax(Q Kᵀ / √width, causal);   y = P V, each head by itself
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
    : floatAttention(qkv, h);
}

/** Whether a product of activations reads anything but float32. */
const quantisesProducts = ({ activation, error, passes }: LayerPolicy): boolean =>
  activation !== null || (error !== null && passes === "both");

/** The attention of float32 operands. P is kept for the backward pass: batch · heads · length² floats. */
function floatAttention(qkv: Tensor, h: Heads): Tensor {
  const { device } = qkv;
  const { batch, heads, length, width } = h;
  const rowSizes = { outer: batch * heads, rows: length, columns: length };
  const scale = 1 / Math.sqrt(width);
  const p = device.empty([batch * heads * length, length]);
  const y = device.empty([batch * length, heads * width]);
  const [q, k, v] = split(qkv, h);
  multiply(
    device,
    h,
    [q, third(h)],
    [k, third(h, true)],
    [p.storage.slice(), square(h)],
    [length, length, width],
  );
  device.run(softmaxRows, {
    inputs: { x: p },
    outputs: { y: p },
    uniforms: { scale, causal: 1 },
    sizes: rowSizes,
  });
  multiply(
    device,
    h,
    [p.storage.slice(), square(h)],
    [v, third(h)],
    [y.storage.slice(), joined(h)],
    [length, width, length],
  );

  const vjp = (dy: Tensor): [Tensor] => {
    const dqkv = device.empty(qkv.shape);
    const dp = device.empty(p.shape);
    const [dq, dk, dv] = split(dqkv, h);
    const [P, dP, dY] = [p.storage.slice(), dp.storage.slice(), dy.storage.slice()];
    multiply(device, h, [P, square(h, true)], [dY, joined(h)], [dv, third(h)], [length, width, length]);
    multiply(device, h, [dY, joined(h)], [v, third(h, true)], [dP, square(h)], [length, length, width]);
    const inputs = { y: p, dy: dp };
    device.run(softmaxGradientRows, { inputs, outputs: { dx: dp }, uniforms: { scale }, sizes: rowSizes });
    multiply(device, h, [dP, square(h)], [k, third(h)], [dq, third(h)], [length, width, length]);
    multiply(device, h, [dP, square(h, true)], [q, third(h)], [dk, third(h)], [length, width, length]);
    device.free(dp);
    return [dqkv];
  };
  return device.tape.record([qkv], y, [p], vjp, [qkv]);
}
