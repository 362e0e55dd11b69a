/** Products of all heads at once. */
import { gemm } from "../kernels/gemm.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { operandAt, type HeadOperand, type Heads, type Layout } from "./attention-layout.ts";
import { multiplyBlocks } from "./block-product.ts";
import { dequantise } from "./quantise.ts";

const batched = gemm("attention product", "f32", "f32");

/** A side of a product: matrices and how they lie, read as they are or transposed. */
export interface HeadSide extends HeadOperand {
  readonly layout: Layout;
  readonly transposed?: boolean;
}

/**
 * C = A·B for every head of every sequence.
 *
 * Sides in blocks along the sum are multiplied as such, those of small integers in integers; others are decoded into the
 * step's memory before.
 *
 * @param left, right  those with `blocks` beside one in blocks of the same length, or in none.
 * @param to     float32
 * @param sizes  m, n and k.
 */
export function multiplyHeads(
  h: Heads,
  left: HeadSide,
  right: HeadSide,
  to: { readonly tensor: Tensor; readonly layout: Layout },
  [m, n, k]: readonly [number, number, number],
): void {
  const sideOf = (side: HeadSide) => operandAt(h, side, side.layout, side.transposed ?? false);
  const { outer, inner, row, width, at } = to.layout(h, h.length);
  const c = to.tensor.storage.slice(4 * at * width);
  const lies = { outer: outer * width, inner: inner * width, row: row * width };
  const sizes = { outer: h.batch, inner: h.heads, m, n, k, c: lies };
  if (multiplyBlocks(sideOf(left), sideOf(right), null, c, sizes)) return;
  const decoded = [left, right].map((side) => ({ ...side, tensor: dequantise(side.tensor) }));
  const [a, b] = decoded.map(sideOf);
  const { device } = to.tensor;
  device.run(batched, {
    inputs: { a: a.tensor.storage.slice(4 * (a.at ?? 0)), b: b.tensor.storage.slice(4 * (b.at ?? 0)) },
    outputs: { c },
    sizes: { ...sizes, a: a.lies, b: b.lies },
  });
  for (const [i, side] of [left, right].entries())
    if (decoded[i].tensor !== side.tensor) device.free(decoded[i].tensor);
}
