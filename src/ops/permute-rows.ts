/** Rows of a matrix in another order, or some of them. */
import { gather } from "../kernels/gather.ts";
import { gathered, output } from "../kernels/signature.ts";
import { constantTensor } from "../tensor/constants.ts";
import type { Device } from "../tensor/device.ts";
import { sizeOf, viewAs, type Tensor } from "../tensor/tensor.ts";

const take = gather("take rows", "gather", { source: gathered("f32") }, {}, ({ source }) =>
  output("f32", source),
);

/** An order of rows, which its key determines; its tables are made once a device. */
export interface Permutation {
  readonly key: string;
  /** The place that each row of the result comes from. */
  readonly sources: () => Int32Array;
  /** Whether it is the order that undoes the one with this key. */
  readonly inverted: boolean;
}

/** A permutation from the place that each row of the result comes from. @param key  what it is and of which sizes. */
export const permutation = (key: string, sources: () => Int32Array): Permutation => ({
  key,
  sources,
  inverted: false,
});

/** The order that undoes another. */
export const inverse = (order: Permutation): Permutation => ({ ...order, inverted: !order.inverted });

/** Where each row of the source goes. @throws RangeError when a row is missing or taken twice. */
function inverseOf(sources: Int32Array): Int32Array {
  const targets = new Int32Array(sources.length).fill(-1);
  for (const [to, from] of sources.entries()) {
    if (!(from >= 0 && from < sources.length) || targets[from] !== -1)
      throw new RangeError(`logrung: row ${from} of ${sources.length} is out of range or taken twice`);
    targets[from] = to;
  }
  return targets;
}

function tableOf(device: Device, { key, sources, inverted }: Permutation): Tensor {
  if (inverted) return constantTensor(device, `rows back from ${key}`, () => inverseOf(sources()));
  return constantTensor(device, `rows of ${key}`, sources);
}

function taken(x: Tensor, order: Permutation, width: number, shape: readonly number[]): Tensor {
  const { device } = x;
  const index = tableOf(device, order);
  const out = device.empty(shape);
  const sizes = { rows: sizeOf(index.shape), columns: width };
  device.run(take, { inputs: { source: x, index }, outputs: { out }, sizes });
  return out;
}

/**
 * y[r] = x[sources[r]], x seen as rows of `width` elements;   dx[sources[r]] = dy[r].
 *
 * @param shape  of the result, as many elements as x has.
 * @throws RangeError when the order is not one of x's rows.
 */
export function permuteRows(
  x: Tensor,
  order: Permutation,
  width: number,
  shape: readonly number[] = x.shape,
): Tensor {
  const rows = sizeOf(tableOf(x.device, inverse(order)).shape);
  if (rows * width !== sizeOf(x.shape))
    throw new RangeError(`logrung: ${rows} rows of ${width} are not the ${sizeOf(x.shape)} elements given`);
  const y = taken(x, order, width, shape);
  return x.device.tape.record(
    [x],
    y,
    [],
    (dy) => [viewAs(taken(dy, inverse(order), width, shape), x.shape)],
    [],
  );
}
