/** The `gemm` shape: batched C = A·B, any transposition, float32, coded or gathered operands, pointwise epilogue. */
import { product, type Value } from "./program.ts";
import { scopeOf, type Inputs, type Outputs, type Scope, type Uniforms } from "./signature.ts";

/**
 * How an operand lies in memory.
 *
 * - `f32`      by strides.
 * - `coded`    one byte an element, which stands for table[code] · scale and is decoded while panels are packed, so no
 *   float32 copy of it is ever made.
 * - `gathered` float32, element (r, c) at rows[r] + columns[c]: the patches of a convolution without their matrix
 *   (implicit im2col), which overlap in memory.
 */
export type GemmOperand = "f32" | "coded" | "gathered";

/**
 *   P[o, i, m, n] = Σₖ A[o, i, m, k] · B[o, i, k, n];   outputs = epilogue(P, inputs at (m, n), uniforms)
 *
 * Buffers: `a`, `b`; for a coded operand also `aTable` (f32[256]) and `aScale` (f32); for a gathered one `aRows` (i32,
 * one a row) and `aColumns` (i32, one a column), in elements; likewise for b; the epilogue's inputs and outputs. Without an epilogue the one output is `c`, f32. Sums are f32, over k ascending.
 */
export interface GemmKernel {
  readonly shape: "gemm";
  readonly name: string;
  readonly a: GemmOperand;
  readonly b: GemmOperand;
  /** Epilogue inputs: `element` is laid out as C is; `column` is [n]; `row` is [m]; `scalar`; `table`. */
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  /** At least `c`. Every output has C's layout. */
  readonly outputs: Outputs;
  /** True when the epilogue is C = P alone. */
  readonly plain: boolean;
}

/**
 * Where element (outer o, inner i, row r, column c) of an operand lies, in elements from its slice's start:
 * o · outer + i · inner + r · row + c · column; for a gathered operand o · outer + i · inner + rows[r] + columns[c], with
 * `row` and `column` 0. The caller keeps gathered elements inside the buffer.
 */
export interface GemmStrides {
  readonly outer?: number;
  readonly inner?: number;
  readonly row: number;
  readonly column: number;
  /** Of a coded operand's scale: its index is r · scaleRow + c · scaleColumn. Both 0 (the default): one scale. */
  readonly scaleRow?: number;
  readonly scaleColumn?: number;
  /**
   * Of a gathered operand: its columns come in runs of so many adjacent elements (the last may be shorter), which are
   * moved as vectors. Default 1.
   */
  readonly run?: number;
}

export interface GemmSizes {
  readonly outer?: number;
  readonly inner?: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: GemmStrides;
  readonly b: GemmStrides;
  /** Strides of C and of every `element` input and output; columns are adjacent. */
  readonly c: { readonly outer?: number; readonly inner?: number; readonly row: number };
  /** Adds to what C holds instead of replacing it (plain kernels only). */
  readonly accumulate?: boolean;
}

/**
 * Describes a gemm kernel.
 *
 * @example
 *   const linear = gemm("linear", "f32", "coded", { bias: perColumn("f32") }, {},
 *     (p, { bias }) => ({ c: output("f32", p.add(bias)) }));
 */
export function gemm<I extends Inputs, U extends Uniforms>(
  name: string,
  a: GemmOperand,
  b: GemmOperand,
  inputs: I = {} as I,
  uniforms: U = {} as U,
  epilogue?: (product: Value, scope: Scope<I, U>) => Outputs,
): GemmKernel {
  const p = product();
  const outputs = epilogue
    ? epilogue(p, scopeOf(inputs, uniforms))
    : { c: { storage: "f32" as const, value: p } };
  return { shape: "gemm", name, a, b, inputs, uniforms, outputs, plain: epilogue === undefined };
}
