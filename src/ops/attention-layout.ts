/** How heads lie in the matrices of an attention, and products of all heads at once. */
import type { BufferSlice } from "../kernels/backend.ts";
import { gemm, type GemmSizes, type GemmStrides } from "../kernels/gemm.ts";
import type { Device } from "../tensor/device.ts";
import { ShapeError, type Tensor } from "../tensor/tensor.ts";

const batched = gemm("attention product", "f32", "f32");

/** Sizes of one call: sequences, their length, heads and the width of a head. */
export interface Heads {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly width: number;
  /** Whether a token sees only those before it and itself. */
  readonly causal: boolean;
}

/** @throws ShapeError when the sizes do not divide. */
export function headsOf(rows: number, columns: number, batch: number, heads: number, causal: boolean): Heads {
  if (rows % batch !== 0 || columns % (3 * heads) !== 0) {
    throw new ShapeError(
      `logrung: selfAttention of [${rows}, ${columns}] with ${batch} sequences and ${heads} heads: ` +
        `rows must divide by the sequences, columns by 3 times the heads`,
    );
  }
  return { batch, length: rows / batch, heads, width: columns / (3 * heads), causal };
}

/**
 * A side of a product of heads: where it starts, and how it lies. `rows` of a stride are those that memory holds of
 * each sequence or matrix: its length, or more where it was padded.
 */
export type Side = readonly [BufferSlice, GemmStrides];

const across = (row: number, transposed: boolean): { row: number; column: number } =>
  transposed ? { row: 1, column: row } : { row, column: 1 };

/** One of query, key, value (or their gradients) inside the interleaved [batch · rows, 3 · heads · width]. */
export function third(h: Heads, transposed = false, rows = h.length): GemmStrides {
  const row = 3 * h.heads * h.width;
  return { outer: rows * row, inner: h.width, ...across(row, transposed) };
}

/** The attention matrix [batch, heads, rows, length]. */
export function square(h: Heads, transposed = false, rows = h.length): GemmStrides {
  const inner = rows * h.length;
  return { outer: h.heads * inner, inner, ...across(h.length, transposed) };
}

/** The output [batch · rows, heads · width]. */
export function joined(h: Heads, transposed = false, rows = h.length): GemmStrides {
  const row = h.heads * h.width;
  return { outer: rows * row, inner: h.width, ...across(row, transposed) };
}

/** C = A·B in float32 for every head of every sequence. */
export function multiply(
  device: Device,
  h: Heads,
  [a, aLies]: Side,
  [b, bLies]: Side,
  [c, cLies]: Side,
  [m, n, k]: readonly [number, number, number],
): void {
  const { batch: outer, heads: inner } = h;
  const { outer: cOuter = 0, inner: cInner = 0, row } = cLies;
  const lies = { a: aLies, b: bLies, c: { outer: cOuter, inner: cInner, row } };
  const sizes: GemmSizes = { outer, inner, m, n, k, ...lies };
  device.run(batched, { inputs: { a, b }, outputs: { c }, sizes });
}

/** Query, key and value inside one float32 buffer, as slices. */
export function split(tensor: Tensor, h: Heads): readonly [BufferSlice, BufferSlice, BufferSlice] {
  const step = h.heads * h.width * 4;
  return [tensor.storage.slice(0), tensor.storage.slice(step), tensor.storage.slice(2 * step)];
}
