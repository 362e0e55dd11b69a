/** Matrix products of blocks: codes, and float32 on its way to codes, go straight into the packing. */
import type { BlockFormat } from "../formats/block-format.ts";
import type { ScalarFormat } from "../formats/format.ts";
import { decodeTable } from "../kernels/codec.ts";
import type { MxElement, MxRounding, MxTable } from "../kernels/mx-element.ts";
import {
  mxGemm,
  type MxGemmKernel,
  type MxGemmSizes,
  type MxOperand,
  type MxStrides,
} from "../kernels/mx-gemm.ts";
import { output, perColumn, scalar } from "../kernels/signature.ts";
import type { Rounding } from "../formats/format.ts";
import type { BufferSlice } from "../kernels/backend.ts";
import { codesShape, isBlocked, matrixShape, type Tensor } from "../tensor/tensor.ts";

/** Blocks that a float32 operand is rounded to while it is packed. They run along the product's sum. */
export interface PackedRounding {
  readonly format: BlockFormat;
  readonly rounding: MxRounding;
}

/** An operand of a product of blocks as it lies in memory: float32, or unpacked codes in blocks along the sum. */
export interface BlockOperand {
  readonly tensor: Tensor;
  readonly lies: MxStrides;
  /** Elements between the start of the tensor and that of the operand, which in codes are whole blocks. Default 0. */
  readonly at?: number;
  /** Scales between the start of the tensor's and that of the operand's. Default 0. */
  readonly scaleAt?: number;
  /** Gathers element (r, c) from rows[r] + columns[c]; codes then lie in one piece for each block. */
  readonly tables?: { readonly rows: Tensor; readonly columns: Tensor };
  /** Rounds float32 to blocks along the sum while it is packed. */
  readonly blocks?: PackedRounding;
}

/** A matrix, read as it lies or transposed. Codes lie unpacked. */
export interface BlockSide {
  readonly tensor: Tensor;
  readonly transposed: boolean;
  readonly blocks?: PackedRounding;
}

const mxElements = new WeakMap<ScalarFormat, MxElement | MxTable>();

/** An element as the kernels know it; null for codes of more than a byte. One object a format. */
function elementOf(format: ScalarFormat): MxElement | MxTable | null {
  if (format.bits > 8) return null;
  const { coding } = format;
  if (coding.kind === "float" || coding.kind === "integer") return coding;
  const made = mxElements.get(format) ?? { kind: "values", values: decodeTable(format) };
  mxElements.set(format, made);
  return made;
}

/**
 * Whether float32 can be rounded to blocks of a format while it is packed, or must be quantised before: random bits,
 * scales of the whole tensor and elements that are neither floats nor integers are not for the packing.
 */
export function roundsWhilePacking(format: BlockFormat, rounding: Rounding): rounding is MxRounding {
  const element = elementOf(format.element);
  return rounding !== "stochastic" && !format.tensorScale && element !== null && element.kind !== "values";
}

/** An operand as `mx-gemm` takes it: its description, and how long its blocks are (null: any). */
interface Described {
  readonly operand: MxOperand;
  /** Tells kernels apart. */
  readonly key: string;
  readonly block: BlockFormat["block"] | null;
}

const scaleValues = new WeakMap<ScalarFormat, Float32Array>();

/** Values of the codes of scales; undefined for E8M0, which is the kernels' own. */
function scalesOf({ scale, tensorScale }: BlockFormat): { readonly scales?: Float32Array } {
  if (!tensorScale) return {};
  const values = scaleValues.get(scale) ?? decodeTable(scale);
  scaleValues.set(scale, values);
  return { scales: values };
}

/** Null for what the kernel does not take: codes with other scales, wide codes. */
function describe({ tensor, tables, blocks }: BlockOperand): Described | null {
  const { kind } = tensor.encoding;
  const gathers = tables ? ({ gathered: true } as const) : {};
  const place = tables ? "gathered " : "";
  if (isBlocked(tensor)) {
    const { format } = tensor.encoding;
    const element = elementOf(format.element);
    if (element === null) return null;
    const operand = { source: "codes", element, ...scalesOf(format), ...gathers } as const;
    return { operand, key: `${place}codes ${format.name}`, block: format.block };
  }
  if (kind !== "float32") return null;
  if (!blocks)
    return { operand: { source: "f32", element: null, ...gathers }, key: `${place}float32`, block: null };
  const { format, rounding } = blocks;
  const element = elementOf(format.element);
  if (element === null || element.kind === "values" || !roundsWhilePacking(format, rounding)) return null;
  const operand = { source: "f32", element, rounding, scaleRule: format.scaleRule, ...gathers } as const;
  return { operand, key: `${place}${rounding} ${format.scaleRule} ${format.name}`, block: format.block };
}

const kernels = new Map<string, MxGemmKernel>();

/** What is added in the epilogue: scales of tensors, a bias. */
interface Extras {
  readonly aTensor?: Tensor;
  readonly bTensor?: Tensor;
  readonly bias?: Tensor | BufferSlice;
}

function kernelOf(a: Described, b: Described, block: BlockFormat["block"], extras: Extras): MxGemmKernel {
  const key = `block product ${block}: ${a.key}, ${b.key}, ${Object.keys(extras).join(" ")}`;
  const known = kernels.get(key);
  if (known) return known;
  const inputs = {
    ...(extras.aTensor && { aTensor: scalar("f32") }),
    ...(extras.bTensor && { bTensor: scalar("f32") }),
    ...(extras.bias && { bias: perColumn("f32") }),
  };
  const kernel =
    Object.keys(extras).length === 0
      ? mxGemm(key, a.operand, b.operand, block)
      : mxGemm(key, a.operand, b.operand, block, inputs, {}, (p, { aTensor, bTensor, bias }) => {
          const left = aTensor ? p.mul(aTensor) : p;
          const scaled = bTensor ? left.mul(bTensor) : left;
          return { c: output("f32", bias ? scaled.add(bias) : scaled) };
        });
  kernels.set(key, kernel);
  return kernel;
}

/** A matrix as an operand; null where its blocks run across the sum. */
function operandOf({ tensor, transposed, blocks }: BlockSide, sumAxis: 0 | 1): BlockOperand | null {
  const [, columns] = codesShape(tensor.encoding, tensor.shape);
  const lies = transposed ? { row: 1, column: columns } : { row: columns, column: 1 };
  if (!isBlocked(tensor)) return { tensor, lies, ...(blocks && { blocks }) };
  const { axis, scales } = tensor.encoding;
  if (((axis === 1) !== transposed) !== (sumAxis === 1)) return null;
  const across = matrixShape(scales.shape)[1];
  const [scaleRow, scaleColumn] = transposed ? [1, across] : [across, 1];
  return { tensor, lies: { ...lies, scaleRow, scaleColumn } };
}

/** From element `at` of a tensor on. */
const from = (tensor: Tensor, bytes: number, at = 0): BufferSlice => tensor.storage.slice(bytes * at);

function inputsOf(
  name: "a" | "b",
  { tensor, at, scaleAt, tables }: BlockOperand,
): Record<string, Tensor | BufferSlice> {
  const offsets = tables ? { [`${name}Rows`]: tables.rows, [`${name}Columns`]: tables.columns } : {};
  if (!isBlocked(tensor)) return { [name]: from(tensor, 4, at), ...offsets };
  const scales = from(tensor.encoding.scales, 1, scaleAt);
  return { [name]: from(tensor, 1, at), [`${name}Scale`]: scales, ...offsets };
}

const tensorScaleOf = ({ tensor }: BlockOperand): Tensor | null =>
  isBlocked(tensor) ? tensor.encoding.tensorScale : null;

/** Both operands; null where one is of no kind that the kernel takes, none is in blocks, or their blocks differ. */
function describeBoth(
  left: BlockOperand,
  right: BlockOperand,
): { readonly a: Described; readonly b: Described; readonly block: BlockFormat["block"] } | null {
  const [a, b] = [describe(left), describe(right)];
  const block = a?.block ?? b?.block ?? null;
  if (!a || !b || block === null || (a.block ?? block) !== (b.block ?? block)) return null;
  return { a, b, block };
}

/**
 *   C = A·B (+ bias to each row), at least one operand in blocks along the sum
 *
 * Elements that are small integers (e2m1, e2m3, int8, int4) are multiplied as such: the sum of each block is exact,
 * times both scales, added in float32 in the order of k. Others, and float32 beside blocks, are products of float32.
 *
 * @param bias   [n] or null
 * @param sizes  those of `mx-gemm` but for the operands' strides.
 * @returns whether it was done; false, and nothing written, when an operand wants decoding first.
 */
export function multiplyBlocks(
  left: BlockOperand,
  right: BlockOperand,
  bias: Tensor | BufferSlice | null,
  c: Tensor | BufferSlice,
  sizes: Omit<MxGemmSizes, "a" | "b">,
): boolean {
  const described = describeBoth(left, right);
  if (!described) return false;
  const [aTensor, bTensor] = [tensorScaleOf(left), tensorScaleOf(right)];
  const extras = { ...(aTensor && { aTensor }), ...(bTensor && { bTensor }), ...(bias && { bias }) };
  left.tensor.device.run(kernelOf(described.a, described.b, described.block, extras), {
    inputs: { ...inputsOf("a", left), ...inputsOf("b", right), ...extras },
    outputs: { c },
    sizes: { ...sizes, a: left.lies, b: right.lies },
  });
  return true;
}

/**
 * {@link multiplyBlocks} of two matrices.
 *
 * @param sizes  m, n and k, which the sides fit; `accumulate` only without a bias and scales of whole tensors.
 */
export function blockProduct(
  left: BlockSide,
  right: BlockSide,
  bias: Tensor | null,
  c: Tensor,
  { m, n, k, accumulate }: Required<Pick<MxGemmSizes, "m" | "n" | "k" | "accumulate">>,
): boolean {
  const [a, b] = [operandOf(left, 1), operandOf(right, 0)];
  return a !== null && b !== null && multiplyBlocks(a, b, bias, c, { m, n, k, c: { row: n }, accumulate });
}
