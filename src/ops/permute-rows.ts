/** Rows of a matrix in another order, or some of them. */
import { gather } from "../kernels/gather.ts";
import { gathered, output } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import { viewAs } from "../tensor/tensor.ts";

const take = gather("take rows", "gather", { source: gathered("f32") }, {}, ({ source }) =>
  output("f32", source),
);

/** An order of rows and the one that undoes it, on a device. Build with {@link permutation}. */
export interface Permutation {
  readonly index: Int32Array;
  readonly inverse: Int32Array;
}

/**
 * A permutation from the place that each row of the result comes from.
 *
 * @throws RangeError when a row is missing or taken twice.
 */
export function permutation(index: Int32Array): Permutation {
  const inverse = new Int32Array(index.length).fill(-1);
  for (const [to, from] of index.entries()) {
    if (!(from >= 0 && from < index.length) || inverse[from] !== -1)
      throw new RangeError(`logrung: row ${from} of ${index.length} is out of range or taken twice`);
    inverse[from] = to;
  }
  return { index, inverse };
}

function taken(x: Tensor, index: Int32Array, width: number, shape: readonly number[]): Tensor {
  const { device } = x;
  const out = device.empty(shape);
  const rows = device.tensor(index, [index.length]);
  const sizes = { rows: index.length, columns: width };
  device.run(take, { inputs: { source: x, index: rows }, outputs: { out }, sizes });
  device.free(rows);
  return out;
}

/**
 * y[r] = x[index[r]], x seen as rows of `width` elements;   dx[index[r]] = dy[r].
 *
 * @param shape  of the result, as many elements as x has.
 */
export function permuteRows(
  x: Tensor,
  { index, inverse }: Permutation,
  width: number,
  shape: readonly number[] = x.shape,
): Tensor {
  if (index.length * width !== sizeOf(x.shape))
    throw new RangeError(
      `logrung: ${index.length} rows of ${width} are not the ${sizeOf(x.shape)} elements given`,
    );
  const y = taken(x, index, width, shape);
  return x.device.tape.record([x], y, [], (dy) => [viewAs(taken(dy, inverse, width, shape), x.shape)]);
}
