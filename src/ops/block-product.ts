/** Matrix products of blocks: codes, and float32 on its way to codes, go straight into the packing. */
import type { BlockFormat } from "../formats/block-format.ts";
import type { ScalarFormat } from "../formats/format.ts";
import { decodeTable } from "../kernels/codec.ts";
import type { MxElement, MxRounding, MxTable } from "../kernels/mx-element.ts";
import { mxGemm, type MxGemmKernel, type MxOperand, type MxStrides } from "../kernels/mx-gemm.ts";
import { output, perColumn, scalar } from "../kernels/signature.ts";
import type { Rounding } from "../formats/format.ts";
import { codesShape, isBlocked, matrixShape, type Tensor } from "../tensor/tensor.ts";

/** Blocks that a float32 operand is rounded to while it is packed. They run along the product's sum. */
export interface PackedRounding {
  readonly format: BlockFormat;
  readonly rounding: MxRounding;
}

/** An operand, read as it lies or transposed. Codes lie unpacked. */
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

/** A side as `mx-gemm` takes it: its description, how long its blocks are (null: any), and the axis they run along. */
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

/** Null for what the kernel does not take: blocks across the sum, codes with other scales, wide codes. */
function describe({ tensor, transposed, blocks }: BlockSide, sumAxis: 0 | 1): Described | null {
  if (isBlocked(tensor)) {
    const { format, axis } = tensor.encoding;
    const element = elementOf(format.element);
    const along = ((axis === 1) !== transposed) === (sumAxis === 1);
    if (element === null || !along) return null;
    const operand = { source: "codes", element, ...scalesOf(format) } as const;
    return { operand, key: `codes ${format.name}`, block: format.block };
  }
  if (tensor.encoding.kind !== "float32") return null;
  if (!blocks) return { operand: { source: "f32", element: null }, key: "float32", block: null };
  const { format, rounding } = blocks;
  const element = elementOf(format.element);
  if (element === null || element.kind === "values" || !roundsWhilePacking(format, rounding)) return null;
  const operand = { source: "f32", element, rounding, scaleRule: format.scaleRule } as const;
  return { operand, key: `${rounding} ${format.scaleRule} ${format.name}`, block: format.block };
}

const kernels = new Map<string, MxGemmKernel>();

/** What is added in the epilogue: scales of tensors, a bias. */
interface Extras {
  readonly aTensor?: Tensor;
  readonly bTensor?: Tensor;
  readonly bias?: Tensor;
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

/** How elements and scales lie. */
function stridesOf({ tensor, transposed }: BlockSide): MxStrides {
  const [, columns] = codesShape(tensor.encoding, tensor.shape);
  const lies = transposed ? { row: 1, column: columns } : { row: columns, column: 1 };
  if (!isBlocked(tensor)) return lies;
  const across = matrixShape(tensor.encoding.scales.shape)[1];
  return transposed
    ? { ...lies, scaleRow: 1, scaleColumn: across }
    : { ...lies, scaleRow: across, scaleColumn: 1 };
}

const inputsOf = (name: "a" | "b", tensor: Tensor): Record<string, Tensor> =>
  isBlocked(tensor) ? { [name]: tensor, [`${name}Scale`]: tensor.encoding.scales } : { [name]: tensor };

const tensorScaleOf = (tensor: Tensor): Tensor | null =>
  isBlocked(tensor) ? tensor.encoding.tensorScale : null;

/**
 *   C = A·B (+ bias to each row), at least one side in blocks along the sum
 *
 * Elements that are small integers (e2m1, e2m3, int8, int4) are multiplied as such: the sum of each block is exact,
 * times both scales, added in float32 in the order of k. Others, and float32 beside blocks, are products of float32.
 *
 * @param sizes  m, n and k; the sides fit them.
 * @returns whether it was done; false, and nothing written, when a side is of a kind that wants decoding first.
 */
export function blockProduct(
  left: BlockSide,
  right: BlockSide,
  bias: Tensor | null,
  c: Tensor,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
): boolean {
  const a = describe(left, 1);
  const b = describe(right, 0);
  const block = a?.block ?? b?.block ?? null;
  if (!a || !b || block === null || (a.block ?? block) !== (b.block ?? block)) return false;
  const [aTensor, bTensor] = [tensorScaleOf(left.tensor), tensorScaleOf(right.tensor)];
  const extras = { ...(aTensor && { aTensor }), ...(bTensor && { bTensor }), ...(bias && { bias }) };
  c.device.run(kernelOf(a, b, block, extras), {
    inputs: { ...inputsOf("a", left.tensor), ...inputsOf("b", right.tensor), ...extras },
    outputs: { c },
    sizes: { m, n, k, a: stridesOf(left), b: stridesOf(right), c: { row: n } },
  });
  return true;
}
