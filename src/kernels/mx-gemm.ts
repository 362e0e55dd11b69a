/** The `mx-gemm` shape: batched C = A·B of operands in blocks along K, each block with a shared scale. */
import type { BlockScaleRule, BlockSize } from "../formats/block-format.ts";
import type { GemmSizes, GemmStrides } from "./gemm.ts";
import { largestInteger, type MxElement, type MxRounding, type MxTable } from "./mx-element.ts";
import { product, type Value } from "./program.ts";
import { scopeOf, type Inputs, type Outputs, type Scope, type Uniforms } from "./signature.ts";

/** A float32 operand that is quantised while it is packed: no quantised copy of it is ever in memory. */
export interface MxFromFloats {
  readonly source: "f32";
  /** Null leaves the values as they are. */
  readonly element: MxElement | null;
  /** Default nearest-even. */
  readonly rounding?: MxRounding;
  /** Default floor, the MX specification's. */
  readonly scaleRule?: BlockScaleRule;
  /** Element (r, c) lies at rows[r] + columns[c], as in `gemm`. Default false: by strides. */
  readonly gathered?: boolean;
}

/**
 * An operand that is quantised already: codes, one a byte, and the codes of its scales, one a byte and
 * block.
 */
export interface MxFromCodes {
  readonly source: "codes";
  readonly element: MxElement | MxTable;
  /** The 256 values of the scales' codes. Default E8M0. */
  readonly scales?: Float32Array;
  /**
   * Element (r, c) lies at rows[r] + columns[c]; the elements of a block are adjacent, and its scale is element
   * (place of its first element) / block of the scales. Wants K to be whole blocks. Default false: by strides.
   */
  readonly gathered?: boolean;
}

export type MxOperand = MxFromFloats | MxFromCodes;

/** Elements of K that share a scale. */
export type MxBlock = BlockSize;

/**
 *   P[o, i, m, n] = Σ_b (Σ_{k in block b} A[m, k] · B[k, n]) · 2^(X_A[m, b] + X_B[b, n]);   outputs =
 *   epilogue(P, …)
 *
 * Buffers: `a`, `b`; for codes also `aScale`, `bScale` (u8); for gathered operands `aRows`, `aColumns`, `bRows`,
 * `bColumns` (i32) as in `gemm`; the epilogue's inputs and outputs; without an epilogue the one output is `c`,
 * f32. Blocks count from k = 0; the last may be shorter.
 *
 * Where {@link sumsIntegers}, the sum over a block is an exact integer d, and
 *
 *   P ← P + (d · sA) · sB   for b ascending, each operation rounded to float32,
 *
 * sA and sB being the scales times the value of their elements' finest step; the result is the same to the
 * last bit on every backend, with every kernel and any number of threads. Otherwise elements times scales are
 * float32 values and their sums those of `gemm`. A block whose scale is NaN, or that holds NaN or Inf, makes
 * its outputs NaN.
 */
export interface MxGemmKernel {
  readonly shape: "mx-gemm";
  readonly name: string;
  readonly block: MxBlock;
  readonly a: MxOperand;
  readonly b: MxOperand;
  /** As in `gemm`. */
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  readonly outputs: Outputs;
  readonly plain: boolean;
}

/**
 * Strides of elements as in `gemm`. For codes, the code of the scale of element (r, c) lies at
 * r' · scaleRow + c' · scaleColumn, where the coordinate along K counts blocks.
 */
export interface MxStrides extends GemmStrides {
  readonly scaleOuter?: number;
  readonly scaleInner?: number;
}

export interface MxGemmSizes extends GemmSizes {
  readonly a: MxStrides;
  readonly b: MxStrides;
}

/**
 * The largest magnitude in the signed bytes of packed panels; only the negative one of integers reaches
 * it.
 */
const LARGEST_PACKED = 128;

/**
 * Whether the sums of blocks are made in integers: both elements are, in units of their finest step,
 * small ones.
 */
export const sumsIntegers = ({ a, b }: Pick<MxGemmKernel, "a" | "b">): boolean =>
  [a, b].every(({ element }) => element !== null && largestInteger(element) <= LARGEST_PACKED);

/**
 * Describes an mx-gemm kernel.
 *
 * @example
 *   const fp4 = { kind: "float", exponentBits: 2, mantissaBits: 1, bias: 1, specials: "none" } as const;
 *   const linear = mxGemm("linear", { source: "f32", element: fp4 }, { source: "codes", element: fp4 });
 */
export function mxGemm<I extends Inputs, U extends Uniforms>(
  name: string,
  a: MxOperand,
  b: MxOperand,
  block: MxBlock = 32,
  inputs: I = {} as I,
  uniforms: U = {} as U,
  epilogue?: (product: Value, scope: Scope<I, U>) => Outputs,
): MxGemmKernel {
  const p = product();
  const outputs = epilogue
    ? epilogue(p, scopeOf(inputs, uniforms))
    : { c: { storage: "f32" as const, value: p } };
  return { shape: "mx-gemm", name, block, a, b, inputs, uniforms, outputs, plain: epilogue === undefined };
}
