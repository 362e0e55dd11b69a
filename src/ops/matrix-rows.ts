/** Some rows of a matrix, in and out of memory of their own. */
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { storageBytes, type StorageType } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import {
  codesShape,
  isBlocked,
  sizeOf,
  storageType,
  type BlockedTensor,
  type Tensor,
} from "../tensor/tensor.ts";

/** Rows `first` to `first` + `count` of a matrix. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

const kernels = new Map<StorageType, PointwiseKernel>();

function copyKernel(storage: StorageType): PointwiseKernel {
  const known = kernels.get(storage);
  if (known) return known;
  const made = pointwise(`copy ${storage}`, { x: element(storage) }, {}, ({ x }) => ({
    y: output(storage, x),
  }));
  kernels.set(storage, made);
  return made;
}

/** Copies `count` elements or codes as they lie. */
function copy(x: Tensor, from: number, y: Tensor, to: number, count: number): void {
  const storage = storageType(x.encoding);
  const bytes = storageBytes[storage];
  x.device.run(copyKernel(storage), {
    inputs: { x: x.storage.slice(bytes * from) },
    outputs: { y: y.storage.slice(bytes * to) },
    sizes: { rows: 1, columns: count },
  });
}

/**
 * A copy of some rows in the encoding that the matrix has; the matrix itself where that is all of them. Scales of the
 * whole and of columns are shared with it, those of blocks copied.
 *
 * @param x  a matrix without scales of rows, its codes unpacked.
 * @param range  starts and, but at the matrix's end, ends with a block, where blocks run down the columns.
 * @returns the rows, and what to call when they have been read.
 */
export function rowsOf(x: Tensor, range: RowRange): { readonly tensor: Tensor; readonly free: () => void } {
  const { first, count } = range;
  const { device } = x;
  if (first === 0 && count === x.shape[0]) return { tensor: x, free: () => undefined };
  const shape = [count, x.shape[1]];
  const [tensor, scales] = isBlocked(x) ? blockedRows(x, range) : [device.empty(shape, x.encoding), null];
  const [height, width] = codesShape(tensor.encoding, shape);
  copy(x, first * width, tensor, 0, height * width);
  return {
    tensor,
    free() {
      device.free(tensor);
      if (scales) device.free(scales);
    },
  };
}

/** Memory for the codes of some rows, and their scales. */
function blockedRows(
  { device, shape, encoding }: BlockedTensor,
  { first, count }: RowRange,
): [Tensor, Tensor] {
  const { axis, format, scales } = encoding;
  const [from, height] =
    axis === 1 ? [first, count] : [first / format.block, Math.ceil(count / format.block)];
  const own = device.empty([height, scales.shape[1]], scales.encoding);
  copy(scales, from * scales.shape[1], own, 0, sizeOf(own.shape));
  return [device.empty([count, shape[1]], { ...encoding, scales: own }), own];
}

/** Writes float32 rows into a float32 matrix from row `first` on. */
export function placeRows(target: Tensor, rows: Tensor, first: number): void {
  copy(rows, 0, target, first * target.shape[1], sizeOf(rows.shape));
}
