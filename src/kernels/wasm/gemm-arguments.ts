/** The argument block of a gemm: what each word holds. */
import type { Code, Local } from "./assembler.ts";

/**
 * Word by word. "Deep" is the axis of k: columns of A, rows of B. Strides are in bytes, but those of C's elements
 * (`element…`, for the epilogue) in elements. The counters that threads claim work from have a cache line each.
 */
export const WORD = {
  constants: 0, workspace: 1, m: 2, n: 3, k: 4, inner: 5, batches: 6,
  a: 7, aOuter: 8, aInner: 9, aRow: 10, aDeep: 11, aTable: 12, aScale: 13, aScaleRow: 14, aScaleDeep: 15,
  b: 16, bOuter: 17, bInner: 18, bDeep: 19, bColumn: 20, bTable: 21, bScale: 22, bScaleDeep: 23, bScaleColumn: 24,
  p: 25, pOuter: 26, pInner: 27, pRow: 28, elementOuter: 29, elementInner: 30, elementRow: 31,
  accumulate: 32, shared: 33, splits: 34, splitColumns: 35, blockRows: 36, blockColumns: 37,
  aDirect: 38, bDirect: 39, aPanels: 40, bPanels: 41, product: 42,
  epilogue: 48,
  nextItem: 208, claims: 224,
} as const; // prettier-ignore

/** Bytes between the two counters at `claims`. */
export const CLAIM_STRIDE = 64;

export type Word = keyof typeof WORD;

/** Pushes an argument word; `base` is the block's address. */
export const argument = (code: Code, base: Local, word: Word): Code =>
  code.get(base).memory("i32.load", WORD[word] * 4);
