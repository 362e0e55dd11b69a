/** The argument block of a gemm: what each word holds; and the arithmetic of addresses. */
import type { BufferSlice, Call } from "../backend.ts";
import type { GemmSizes } from "../gemm.ts";
import type { Code, Local, WasmType } from "./assembler.ts";
import type { Arguments } from "./lowering.ts";

/**
 * Word by word. "Deep" is the axis of k: columns of A, rows of B. Strides are in bytes, but those of C's
 * elements (`element…`, for the epilogue) in elements. The counter that threads claim items from has a cache
 * line of its own.
 */
export const WORD = {
  constants: 0, workspace: 1, m: 2, n: 3, k: 4, inner: 5, items: 6,
  a: 7, aOuter: 8, aInner: 9, aRow: 10, aDeep: 11, aTable: 12, aScale: 13, aScaleRow: 14, aScaleDeep: 15,
  b: 16, bOuter: 17, bInner: 18, bDeep: 19, bColumn: 20, bTable: 21,
  bScale: 22, bScaleDeep: 23, bScaleColumn: 24,
  p: 25, pOuter: 26, pInner: 27, pRow: 28, elementOuter: 29, elementInner: 30, elementRow: 31,
  accumulate: 32, rowSplits: 33, splitRows: 34, columnSplits: 35, splitColumns: 36,
  blockRows: 37, blockColumns: 38,
  aDirect: 39, bDirect: 40, aPanels: 41, bPanels: 42, product: 43,
  // Of a gathered operand, in place of its strides: tables of offsets along the wide and the deep axis, and the
  // length of its columns' runs.
  aWideAt: 10, aDeepAt: 11, aRun: 12, bWideAt: 20, bDeepAt: 19, bRun: 21,
  aScaleOuter: 44, aScaleInner: 45, bScaleOuter: 46, bScaleInner: 47,
  epilogue: 48,
  nextItem: 224,
} as const; // prettier-ignore

export type Word = keyof typeof WORD;

/** Writes what a gathered operand has in place of strides. */
export function encodeTables(
  name: "a" | "b",
  { inputs, sizes }: Call,
  address: (slice: BufferSlice) => number,
  { words: to }: Arguments,
): void {
  const [rows, columns] =
    name === "a" ? (["aWideAt", "aDeepAt"] as const) : (["bDeepAt", "bWideAt"] as const);
  to[WORD[rows]] = address(inputs[`${name}Rows`]) | 0;
  to[WORD[columns]] = address(inputs[`${name}Columns`]) | 0;
  to[WORD[`${name}Run`]] = (sizes as GemmSizes)[name].run ?? 1;
}

/** Pushes an argument word; `base` is the block's address. */
export const argument = (code: Code, base: Local, word: Word): Code =>
  code.get(base).memory("i32.load", WORD[word] * 4);

/** Types of so many addresses and counts. */
export const words = (count: number): WasmType[] => Array.from({ length: count }, () => "i32");

/** Pushes min(x, limit). */
export function pushMin(code: Code, x: Local, limit: Local | number): Code {
  const push = () => (typeof limit === "number" ? code.i32(limit) : code.get(limit));
  code.get(x);
  push();
  code.get(x);
  push();
  return code.op("i32.lt_s").op("select");
}

/** to += amount */
export const add = (code: Code, to: Local, amount: Local | number): Code => {
  code.get(to);
  if (typeof amount === "number") code.i32(amount);
  else code.get(amount);
  return code.op("i32.add").set(to);
};

/** Adds x · y to the top of the stack. */
export const plusProduct = (code: Code, x: Local, y: Local): Code =>
  code.get(x).get(y).op("i32.mul").op("i32.add");
