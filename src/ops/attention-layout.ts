/** How heads lie in the matrices of an attention. */
import type { MxStrides } from "../kernels/mx-gemm.ts";
import { isBlocked, ShapeError, type Tensor } from "../tensor/tensor.ts";
import type { BlockOperand, PackedRounding } from "./block-product.ts";

/** Sizes of one call: sequences, their length, heads and the width of a head. */
export interface Heads {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly width: number;
  /** Whether a token sees only those before it and itself. */
  readonly causal: boolean;
  /** Tokens of each sequence, the rest of its rows being padding; null where there is none. */
  readonly lengths: ArrayLike<number> | null;
}

/** @throws ShapeError when the sizes do not divide, or lengths are not one for each sequence that fits it. */
export function headsOf(
  [rows, columns]: readonly number[],
  batch: number,
  heads: number,
  causal: boolean,
  lengths: ArrayLike<number> | null = null,
): Heads {
  if (rows % batch !== 0 || columns % (3 * heads) !== 0) {
    throw new ShapeError(
      `logrung: selfAttention of [${rows}, ${columns}] with ${batch} sequences and ${heads} heads: ` +
        `rows must divide by the sequences, columns by 3 times the heads`,
    );
  }
  const length = rows / batch;
  if (lengths) expectLengths(lengths, batch, length);
  return { batch, length, heads, width: columns / (3 * heads), causal, lengths };
}

function expectLengths(lengths: ArrayLike<number>, batch: number, length: number): void {
  const all = Array.from(lengths);
  const fits = (tokens: number): boolean => Number.isInteger(tokens) && tokens > 0 && tokens <= length;
  if (all.length === batch && all.every(fits)) return;
  throw new ShapeError(
    `logrung: selfAttention of ${batch} sequences in rows of ${length} with lengths [${all.join(", ")}]: ` +
      `wants one of 1 to ${length} for each sequence`,
  );
}

/**
 * How the matrix of a head lies among others, counted in its rows, which are `width` adjacent elements each: where the
 * first one begins, and how far it is to the next sequence, head and token.
 *
 * @param rows  that memory holds of each sequence or matrix: its length, or more where it was padded.
 */
export type Layout = (h: Heads, rows: number) => HeadLayout;

interface HeadLayout {
  readonly width: number;
  readonly at: number;
  readonly outer: number;
  readonly inner: number;
  readonly row: number;
}

/** One of query, key, value (or their gradients) inside the interleaved [batch · rows, 3 · heads · width]. */
const third =
  (which: number): Layout =>
  ({ heads, width }, rows) => ({
    width,
    at: which * heads,
    outer: rows * 3 * heads,
    inner: 1,
    row: 3 * heads,
  });

export const query: Layout = third(0);
export const key: Layout = third(1);
export const value: Layout = third(2);

/** The attention matrix [batch, heads, rows, length]. */
export const square: Layout = ({ heads, length }, rows) => ({
  width: length,
  at: 0,
  outer: heads * rows,
  inner: rows,
  row: 1,
});

/** The output [batch · rows, heads · width]. */
export const joined: Layout = ({ heads, width }, rows) => ({
  width,
  at: 0,
  outer: rows * heads,
  inner: 1,
  row: heads,
});

/** Matrices of heads as an operand of products. */
export interface HeadOperand {
  /** Float32, or codes: in any blocks, or with one scale. */
  readonly tensor: Tensor;
  /** Rows that memory holds of each sequence. Default its length. */
  readonly rows?: number;
  /** Rounds float32 to blocks along the product's sum while it is packed. */
  readonly blocks?: PackedRounding;
}

/** Where the matrices of an operand lie, elements and scales. */
export function operandAt(
  h: Heads,
  { tensor, rows = h.length, blocks }: HeadOperand,
  layout: Layout,
  transposed: boolean,
): BlockOperand {
  const lies = layout(h, rows);
  if (!isBlocked(tensor)) {
    const { at, ...strides } = stridesOf(lies, lies.width, transposed);
    return { tensor, at, lies: strides, ...(blocks && { blocks }) };
  }
  const { axis, format } = tensor.encoding;
  const wide = Math.ceil(lies.width / format.block);
  const elements = stridesOf(lies, axis === 1 ? wide * format.block : lies.width, transposed);
  const scales =
    axis === 1
      ? stridesOf(lies, wide, transposed)
      : stridesOf(layout(h, rows / format.block), lies.width, transposed);
  const { at, ...strides } = elements;
  const ofScales: Partial<MxStrides> = {
    scaleOuter: scales.outer,
    scaleInner: scales.inner,
    scaleRow: scales.row,
    scaleColumn: scales.column,
  };
  return { tensor, at, scaleAt: scales.at, lies: { ...strides, ...ofScales } };
}

/** Strides for rows of `width` elements; in elements, or in scales where these are counted. */
function stridesOf({ at, outer, inner, row }: HeadLayout, width: number, transposed: boolean) {
  const across = transposed ? { row: 1, column: row * width } : { row: row * width, column: 1 };
  return { at: at * width, outer: outer * width, inner: inner * width, ...across };
}
