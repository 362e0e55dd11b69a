/** Operands of a convolution's products: in blocks along the products' sums where that can be, else float32 values. */
import type { BlockFormat } from "../formats/block-format.ts";
import type { ScalarFormat } from "../formats/format.ts";
import { decodeTable } from "../kernels/codec.ts";
import { codesShape, isBlocked, matrixShape, partsOf, type Tensor } from "../tensor/tensor.ts";
import type { BlockOperand } from "./block-product.ts";
import { spreadTo, type DeviceOffsets, type DeviceSpread } from "./conv-tables.ts";
import { unpacked } from "./pack.ts";
import { dequantise } from "./quantise.ts";
import { quantiseBlocks } from "./quantise-blocks.ts";
import type { WeightedOperand } from "./weighted.ts";

/** The operand of each group's product. */
export type OfGroup = (group: number) => BlockOperand;

/** An operand of the products of all groups. */
export interface GroupedOperand {
  readonly of: OfGroup;
  /** Frees what was made for it. */
  readonly free: () => void;
}

/** One that is gathered, by any tables. */
export interface GatheredOperand {
  readonly by: (tables: DeviceOffsets) => OfGroup;
  readonly free: () => void;
}

/** What an operand's blocks are; null where it has none. */
const formatOf = ({ tensor, blocks }: WeightedOperand): BlockFormat | null =>
  blocks?.format ?? (isBlocked(tensor) ? tensor.encoding.format : null);

/** Whether codes in blocks, if it is such, run along `axis` and are narrow enough to be decoded while they are packed. */
export const runsAlong = ({ tensor }: WeightedOperand, axis: 0 | 1): boolean =>
  !isBlocked(tensor) || (tensor.encoding.axis === axis && tensor.encoding.format.element.bits <= 8);

const zeroCodes = new WeakMap<ScalarFormat, boolean>();

/** Whether code 0 of a format of at most 8 bits is zero, as the padding of codes has it. */
function startsAtZero(format: ScalarFormat): boolean {
  const known = zeroCodes.get(format) ?? decodeTable(format)[0] === 0;
  zeroCodes.set(format, known);
  return known;
}

/** Codes of a pixel's channels are blocks of a patch where blocks neither leave a group nor lack a code for zero. */
const holdsBlocks = ({ block, element }: BlockFormat, ofGroup: number): boolean =>
  ofGroup % block === 0 && element.bits <= 8 && startsAtZero(element);

/** Whether patches of an image can be an operand in blocks along their channels and taps. */
export function patchesInBlocks(x: WeightedOperand, ofGroup: number): boolean {
  return runsAlong(x, 1) && (!isBlocked(x.tensor) || holdsBlocks(x.tensor.encoding.format, ofGroup));
}

/** Whether one of two operands is in blocks, and the other in none or in blocks of the same length. */
export function matchingBlocks(a: WeightedOperand, b: WeightedOperand): boolean {
  const [left, right] = [formatOf(a)?.block ?? null, formatOf(b)?.block ?? null];
  return (left ?? right) !== null && (left === null || right === null || left === right);
}

/** Frees what stands in these tensors but not in the one they were made from. */
function freeing(made: readonly Tensor[], source: Tensor): () => void {
  const kept = new Set(partsOf(source).map(({ storage }) => storage));
  const parts = new Map(made.flatMap(partsOf).map((part) => [part.storage, part]));
  return () => {
    for (const [storage, part] of parts) if (!kept.has(storage)) part.device.free(part);
  };
}

/** The float32 values of an operand; those that it asks to round are rounded to blocks along `axis`. */
function valuesOf({ tensor, blocks }: WeightedOperand, axis: 0 | 1): Tensor {
  if (!blocks || tensor.encoding.kind !== "float32") return dequantise(tensor);
  const codes = quantiseBlocks(tensor, blocks.format, blocks.rounding, axis, [0, 0]);
  const values = dequantise(codes);
  for (const part of partsOf(codes)) part.device.free(part);
  return values;
}

/**
 * Patches of an image, gathered, for a product that sums over their channels and taps.
 *
 * Where blocks of a pixel's channels are blocks of the patch, the image is rounded once, and codes are gathered; elsewhere
 * patches are rounded while they are packed.
 *
 * @param inBlocks  as {@link patchesInBlocks} and {@link matchingBlocks} allow; else float32 values.
 */
export function patchesOf(
  x: WeightedOperand,
  field: DeviceSpread | null,
  ofGroup: number,
  inBlocks: boolean,
): GatheredOperand {
  return gatheredFrom(inBlocks ? blockedImage(x, ofGroup) : valuesOf(x, 1), x, field, ofGroup, inBlocks);
}

/** Patches for a product that sums over pixels: rounded while they are packed where x asks for it. */
export function patchesAlongPixels(
  x: WeightedOperand,
  field: DeviceSpread | null,
  ofGroup: number,
  inBlocks: boolean,
): GatheredOperand {
  return gatheredFrom(dequantise(x.tensor), x, field, ofGroup, inBlocks);
}

function gatheredFrom(
  image: Tensor,
  { tensor: source, blocks }: WeightedOperand,
  spread: DeviceSpread | null,
  ofGroup: number,
  inBlocks: boolean,
): GatheredOperand {
  const tensor = spread ? spreadTo(image, spread) : image;
  const rounding = inBlocks && !isBlocked(tensor) && blocks ? { blocks } : {};
  const block = isBlocked(tensor) ? tensor.encoding.format.block : 1;
  return {
    by: (tables) => (g) => ({
      tensor,
      tables,
      lies: liesBy(tables),
      ...rounding,
      at: g * ofGroup,
      scaleAt: (g * ofGroup) / block,
    }),
    free: freeing([image, tensor], source),
  };
}

const liesBy = ({ run }: DeviceOffsets) => ({ row: 0, column: 0, run });

/** The image in codes where they can be gathered, else in float32. */
function blockedImage({ tensor, blocks }: WeightedOperand, ofGroup: number): Tensor {
  if (isBlocked(tensor)) return unpacked(tensor);
  if (!blocks || !holdsBlocks(blocks.format, ofGroup)) return dequantise(tensor);
  return quantiseBlocks(tensor, blocks.format, blocks.rounding, 1, [0, 0]);
}

/** Rows of a matrix [groups · rows, k] as columns of B: [k, rows] of each group. */
export function rowsAsColumns(w: Tensor, ofGroup: number, inBlocks: boolean): GroupedOperand {
  const matrix = inBlocks && isBlocked(w) ? unpacked(w) : dequantise(w);
  const [, depth] = codesShape(matrix.encoding, matrix.shape);
  const across = isBlocked(matrix) ? matrixShape(matrix.encoding.scales.shape)[1] : 0;
  const lies = { row: 1, column: depth, scaleRow: 1, scaleColumn: across };
  return {
    of: (g) => ({ tensor: matrix, lies, at: g * ofGroup * depth, scaleAt: g * ofGroup * across }),
    free: freeing([matrix], w),
  };
}

/** Columns of a matrix [k, groups · columns] as rows of A: [columns, k] of each group. */
export function columnsAsRows(x: WeightedOperand, ofGroup: number, inBlocks: boolean): GroupedOperand {
  const matrix = !inBlocks ? valuesOf(x, 0) : isBlocked(x.tensor) ? unpacked(x.tensor) : dequantise(x.tensor);
  const columns = x.tensor.shape[1];
  const lies = { row: 1, column: columns, scaleRow: 1, scaleColumn: columns };
  const blocks = inBlocks && !isBlocked(matrix) && x.blocks ? { blocks: x.blocks } : {};
  return {
    of: (g) => ({ tensor: matrix, lies, at: g * ofGroup, scaleAt: g * ofGroup, ...blocks }),
    free: freeing([matrix], x.tensor),
  };
}

/** Taps of the mirrored kernel, gathered from w [out, depth]; rounded while they are packed where w asks for that. */
export function mirroredKernel(w: WeightedOperand, ofGroup: number, inBlocks: boolean): GatheredOperand {
  const tensor = inBlocks ? dequantise(w.tensor) : valuesOf(w, 0);
  const rounding = inBlocks && w.blocks ? { blocks: w.blocks } : {};
  return {
    by: (tables) => (g) => ({ tensor, tables, lies: liesBy(tables), at: g * ofGroup, ...rounding }),
    free: freeing([tensor], w.tensor),
  };
}
