/** Multi-head causal self-attention. */
import { gemm, type GemmSizes, type GemmStrides } from "../kernels/gemm.ts";
import type { BufferSlice } from "../kernels/backend.ts";
import type { Device } from "../tensor/device.ts";
import { expectShape, ShapeError, type Tensor } from "../tensor/tensor.ts";
import { softmaxGradientRows, softmaxRows } from "./softmax.ts";

const batched = gemm("attention product", "f32", "f32");

/** Sizes of one call: sequences, their length, heads and the width of a head. */
interface Heads {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly width: number;
}

/** One of query, key, value (or their gradients) inside the interleaved [batch · length, 3 · heads · width]. */
const third = (h: Heads, transposed = false): GemmStrides => {
  const row = 3 * h.heads * h.width;
  const lies = transposed ? { row: 1, column: row } : { row, column: 1 };
  return { outer: h.length * row, inner: h.width, ...lies };
};

/** The attention matrix [batch, heads, length, length]. */
const square = (h: Heads, transposed = false): GemmStrides => {
  const lies = transposed ? { row: 1, column: h.length } : { row: h.length, column: 1 };
  return { outer: h.heads * h.length * h.length, inner: h.length * h.length, ...lies };
};

/** The output [batch · length, heads · width]. */
const joined = (h: Heads, transposed = false): GemmStrides => {
  const row = h.heads * h.width;
  const lies = transposed ? { row: 1, column: row } : { row, column: 1 };
  return { outer: h.length * row, inner: h.width, ...lies };
};

function multiply(
  device: Device,
  h: Heads,
  [a, aLies]: readonly [BufferSlice, GemmStrides],
  [b, bLies]: readonly [BufferSlice, GemmStrides],
  [c, cLies]: readonly [BufferSlice, GemmStrides],
  [m, n, k]: readonly [number, number, number],
): void {
  const { batch: outer, heads: inner } = h;
  const { outer: cOuter = 0, inner: cInner = 0, row } = cLies;
  const lies = { a: aLies, b: bLies, c: { outer: cOuter, inner: cInner, row } };
  const sizes: GemmSizes = { outer, inner, m, n, k, ...lies };
  device.run(batched, { inputs: { a, b }, outputs: { c }, sizes });
}

/** Query, key and value inside one buffer, as slices. */
function split(tensor: Tensor, h: Heads): readonly [BufferSlice, BufferSlice, BufferSlice] {
  const step = h.heads * h.width * 4;
  return [tensor.storage.slice(0), tensor.storage.slice(step), tensor.storage.slice(2 * step)];
}

/**
 *   P = softmax(Q Kᵀ / √width, causal);   y = P V, each head by itself
 *
 * The attention matrix P is kept for the backward pass: batch · heads · length² floats.
 *
 * @param qkv    [batch · length, 3 · heads · width]: query, key, value side by side, heads inside each
 * @param batch  number of sequences
 * @param heads  number of heads
 * @returns [batch · length, heads · width]
 * @throws ShapeError when the sizes do not divide.
 * @source Vaswani et al. 2017, Attention is all you need, equation 1.
 */
export function causalAttention(qkv: Tensor, batch: number, heads: number): Tensor {
  expectShape("causalAttention", qkv, null, null);
  const h = headsOf(qkv.shape[0], qkv.shape[1], batch, heads);
  const { device } = qkv;
  const { length, width } = h;
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

  return device.tape.record([qkv], y, [p], (dy) => {
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
  });
}

function headsOf(rows: number, columns: number, batch: number, heads: number): Heads {
  if (rows % batch !== 0 || columns % (3 * heads) !== 0) {
    throw new ShapeError(
      `logrung: causalAttention of [${rows}, ${columns}] with ${batch} sequences and ${heads} heads: ` +
        `rows must divide by the sequences, columns by 3 times the heads`,
    );
  }
  return { batch, length: rows / batch, heads, width: columns / (3 * heads) };
}
