/** Matrices stacked in one tensor, as operands of a product for each of them. */
import { gather } from "../kernels/gather.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { f32 } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { sizeOf, viewAs, type Tensor } from "../tensor/tensor.ts";
import { dependsOnAxis, rounded } from "./operand.ts";

/** Rows of each matrix that memory holds: the first are the matrix, the rest zeros. */
export interface Stacked {
  readonly tensor: Tensor;
  readonly rows: number;
}

/**
 * Q(x) for products that sum over `width` adjacent columns: blocks end with them, whatever lies beside.
 *
 * @param width  divides the columns.
 */
export function alongColumns(
  x: Tensor,
  precision: TensorPrecision | null,
  width: number,
  key: () => Key,
): Tensor {
  const view = dependsOnAxis(precision) ? viewAs(x, [sizeOf(x.shape) / width, width]) : x;
  const made = rounded(view, precision, { channel: 1, reduction: 1 }, key);
  return made === view ? x : made;
}

/**
 * Q(x) for products that sum over the rows of each matrix: blocks do not run from one matrix into the next, whose
 * tail is padded.
 *
 * @param x     [matrices · rows, columns]
 * @param rows  of one matrix
 */
export function alongRows(
  x: Tensor,
  precision: TensorPrecision | null,
  rows: number,
  key: () => Key,
): Stacked {
  const axes = { channel: 1, reduction: 0 } as const;
  const block = dependsOnAxis(precision) ? (precision?.block ?? 32) : 1;
  const padded = Math.ceil(rows / block) * block;
  if (padded === rows) return { tensor: rounded(x, precision, axes, key), rows };
  const wide = spread(x, rows, padded);
  const tensor = rounded(wide, precision, axes, key);
  x.device.free(wide);
  return { tensor, rows: padded };
}

const zero = pointwise("zero rows", {}, {}, () => ({ y: output("f32", f32(0)) }));
const place = gather("place rows", "accumulate", { x: element("f32") }, {}, ({ x }) => output("f32", x));

/** Each matrix of `rows` rows at the head of `padded` rows; the others are zero. */
function spread(x: Tensor, rows: number, padded: number): Tensor {
  const { device } = x;
  const [total, columns] = x.shape;
  const out = device.empty([(total / rows) * padded, columns]);
  device.run(zero, { inputs: {}, outputs: { y: out }, sizes: { rows: 1, columns: sizeOf(out.shape) } });
  const places = Int32Array.from({ length: total }, (_, i) => Math.floor(i / rows) * padded + (i % rows));
  const index = device.tensor(places, [total]);
  device.run(place, { inputs: { index, x }, outputs: { out }, sizes: { rows: total, columns } });
  device.free(index);
  return out;
}
