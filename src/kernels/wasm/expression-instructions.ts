/** The SIMD instruction of each operation on four lanes. Booleans are masks of 0 and -1. */
import type { BinaryOp, ValueType } from "../program.ts";
import type { PlainOp } from "./opcodes.ts";

const FLOAT: Readonly<Partial<Record<BinaryOp, PlainOp>>> = {
  add: "f32x4.add", sub: "f32x4.sub", mul: "f32x4.mul", div: "f32x4.div",
  // pmin(a, b) is b < a ? b : a and pmax(a, b) is a < b ? b : a, NaN as the language has it.
  min: "f32x4.pmin", max: "f32x4.pmax",
  eq: "f32x4.eq", ne: "f32x4.ne", lt: "f32x4.lt", le: "f32x4.le", gt: "f32x4.gt", ge: "f32x4.ge",
}; // prettier-ignore

const INTEGER: Readonly<Partial<Record<BinaryOp, PlainOp>>> = {
  add: "i32x4.add", sub: "i32x4.sub", mul: "i32x4.mul",
  and: "v128.and", or: "v128.or", xor: "v128.xor", eq: "i32x4.eq", ne: "i32x4.ne",
}; // prettier-ignore

const SIGNED: Readonly<Partial<Record<BinaryOp, PlainOp>>> = {
  min: "i32x4.min_s", max: "i32x4.max_s",
  lt: "i32x4.lt_s", le: "i32x4.le_s", gt: "i32x4.gt_s", ge: "i32x4.ge_s",
}; // prettier-ignore

const UNSIGNED: Readonly<Partial<Record<BinaryOp, PlainOp>>> = {
  min: "i32x4.min_u", max: "i32x4.max_u",
  lt: "i32x4.lt_u", le: "i32x4.le_u", gt: "i32x4.gt_u", ge: "i32x4.ge_u",
}; // prettier-ignore

/** The instruction of a binary operation on operands of `type`. @throws TypeError when there is none. */
export function binaryInstruction(op: BinaryOp, type: ValueType): PlainOp {
  const own = type === "f32" ? FLOAT[op] : (INTEGER[op] ?? (type === "i32" ? SIGNED[op] : UNSIGNED[op]));
  if (!own) throw new TypeError(`logrung: no instruction for ${op} of ${type}`);
  return own;
}

/**
 * The unary operations that are one instruction, and those that are none (null): bits read under another type.
 * Conversions that saturate between integers and the ones of booleans are more than one; see `expression.ts`.
 */
export function unaryInstruction(op: string, from: ValueType): PlainOp | null | undefined {
  if (op.startsWith("as")) return null;
  const typed = UNARY[`${op} ${from}`];
  return typed === undefined ? UNARY[op] : typed;
}

const UNARY: Readonly<Record<string, PlainOp | null>> = {
  not: "v128.not", sqrt: "f32x4.sqrt",
  floor: "f32x4.floor", ceil: "f32x4.ceil", trunc: "f32x4.trunc", nearest: "f32x4.nearest",
  "neg f32": "f32x4.neg", "neg i32": "i32x4.neg", "neg u32": "i32x4.neg",
  "abs f32": "f32x4.abs", "abs i32": "i32x4.abs", "abs u32": null,
  "toF32 f32": null, "toF32 i32": "f32x4.convert_i32x4_s", "toF32 u32": "f32x4.convert_i32x4_u",
  "toI32 f32": "i32x4.trunc_sat_f32x4_s", "toI32 i32": null,
  "toU32 f32": "i32x4.trunc_sat_f32x4_u", "toU32 u32": null,
}; // prettier-ignore
