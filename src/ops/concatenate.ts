/** Matrices side by side. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output } from "../kernels/signature.ts";
import type { BufferSlice } from "../kernels/backend.ts";
import { ShapeError, sizeOf, slice, type Tensor } from "../tensor/tensor.ts";
import { permutation, permuteRows } from "./permute-rows.ts";

const copy = pointwise("copy", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x) }));

const at = (tensor: Tensor, element_: number): BufferSlice => {
  const { buffer, offset } = slice(tensor);
  return { buffer, offset: offset + 4 * element_ };
};

/**
 * All elements of several tensors, one after the other, as [total / width, width]: matrices of one width stacked.
 *
 * @throws ShapeError when their elements do not fill rows of `width`.
 */
export function stack(parts: readonly Tensor[], width: number): Tensor {
  const sizes = parts.map(({ shape }) => sizeOf(shape));
  const total = sizes.reduce((a, b) => a + b, 0);
  if (parts.length === 0 || total % width !== 0)
    throw new ShapeError(`logrung: stack of ${parts.length} tensors, ${total} elements, in rows of ${width}`);
  const { device } = parts[0];
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const y = device.empty([total / width, width]);
  for (const [i, x] of parts.entries())
    device.run(copy, { inputs: { x }, outputs: { y: at(y, starts[i]) }, sizes: { rows: 1, columns: sizes[i] } });
  return device.tape.record(parts, y, [], (dy) =>
    parts.map((part, i) => {
      if (!part.tracked) return null;
      const dx = device.empty(part.shape);
      device.run(copy, { inputs: { x: at(dy, starts[i]) }, outputs: { y: dx }, sizes: { rows: 1, columns: sizes[i] } });
      return dx;
    }),
  );
} // prettier-ignore

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/**
 * y[r] = the rows r of all parts, one after the other: channels of images concatenated.
 *
 * @param parts  [rows, columns of its own] each
 * @returns [rows, all columns]
 */
export function concatenate(parts: readonly Tensor[]): Tensor {
  const rows = parts[0]?.shape[0] ?? 0;
  const widths = parts.map(({ shape }) => shape[1]);
  if (parts.some(({ shape }) => shape.length !== 2 || shape[0] !== rows))
    throw new ShapeError(
      `logrung: concatenate of [${parts.map(({ shape }) => shape.join(", ")).join("], [")}]`,
    );
  const unit = widths.reduce(divisor);
  const total = widths.reduce((a, b) => a + b, 0);
  const order = permutation(`side by side ${rows} ${widths.join()}`, () => sideBySide(rows, widths, unit));
  const stacked = stack(parts, unit);
  const y = permuteRows(stacked, order, unit, [rows, total]);
  stacked.device.tape.discard(stacked);
  return y;
}

/** From matrices one after the other to their rows one after the other, in pieces of `unit` elements. */
function sideBySide(rows: number, widths: readonly number[], unit: number): Int32Array {
  const index: number[] = [];
  for (let row = 0; row < rows; row++) {
    let start = 0;
    for (const width of widths) {
      for (let i = 0; i < width / unit; i++) index.push((start + row * width) / unit + i);
      start += rows * width;
    }
  }
  return Int32Array.from(index);
}
