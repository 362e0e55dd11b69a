/** One function a scalar operation, in float64 or rounded to float32 after every step. */
import type { BinaryOp, UnaryOp, ValueType } from "../program.ts";
import { erf } from "./erf.ts";
import { nearestEven } from "./narrow.ts";

/** `float64` never rounds an f32 value; `float32` rounds after every operation, as machines do. */
export type Precision = "float64" | "float32";

/** A scalar function of one operand. */
export type Unary = (x: number) => number;
/** A scalar function of two operands. */
export type Binary = (a: number, b: number) => number;

const word = new Int32Array(1);
const real = new Float32Array(word.buffer);

const identity: Unary = (x) => x;
const toBits: Unary = (x) => {
  real[0] = x;
  return word[0];
};
const fromBits: Unary = (x) => {
  word[0] = x;
  return real[0];
};

/** Rounding of an f32 result. */
export const rounding = (precision: Precision): Unary => (precision === "float64" ? identity : Math.fround);

/** a · b + c; in float32 with two roundings. */
export const fusedMultiplyAdd = (precision: Precision): ((a: number, b: number, c: number) => number) =>
  precision === "float64" ? (a, b, c) => a * b + c : (a, b, c) => Math.fround(Math.fround(a * b) + c);

const FLOAT_UNARY: Readonly<Partial<Record<UnaryOp, Unary>>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest: nearestEven,
  exp2: (x) => 2 ** x,
  log2: Math.log2,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  erf,
  reciprocal: (x) => 1 / x,
};

const FLOAT_BINARY: Readonly<Partial<Record<BinaryOp, Binary>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

const INTEGER_BINARY: Readonly<Partial<Record<BinaryOp, Binary>>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const ANY_BINARY: Readonly<Partial<Record<BinaryOp, Binary>>> = {
  min: (a, b) => (b < a ? b : a),
  max: (a, b) => (a < b ? b : a),
  eq: (a, b) => Number(a === b),
  ne: (a, b) => Number(a !== b),
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  gt: (a, b) => Number(a > b),
  ge: (a, b) => Number(a >= b),
};

/** Brings an exact result back into the range of its type. */
export function wrap(type: ValueType, precision: Precision): Unary {
  switch (type) {
    case "f32":
      return rounding(precision);
    case "i32":
      return (x) => x | 0;
    case "u32":
      return (x) => x >>> 0;
    case "bool":
      return (x) => x & 1;
  }
}

/** The function of a unary operation on a value of type `from`. */
export function unaryFunction(op: UnaryOp, from: ValueType, precision: Precision): Unary {
  switch (op) {
    case "toF32":
      return rounding(precision);
    case "toI32":
      return saturate(-(2 ** 31), 2 ** 31 - 1);
    case "toU32":
      return saturate(0, 2 ** 32 - 1);
    case "asF32":
      return from === "f32" ? identity : fromBits;
    case "asI32":
      return from === "f32" ? toBits : (x) => x | 0;
    case "asU32":
      return from === "f32" ? (x) => toBits(x) >>> 0 : (x) => x >>> 0;
    default:
      return from === "f32" ? floatUnary(op, precision) : integerUnary(op, from, precision);
  }
}

function floatUnary(op: UnaryOp, precision: Precision): Unary {
  const exact = FLOAT_UNARY[op];
  if (!exact) throw new TypeError(`logrung: no ${op} of f32`);
  return precision === "float64" ? exact : (x) => Math.fround(exact(x));
}

function integerUnary(op: UnaryOp, type: ValueType, precision: Precision): Unary {
  const back = wrap(type, precision);
  switch (op) {
    case "neg":
      return (x) => back(-x);
    case "abs":
      return (x) => back(Math.abs(x));
    case "not":
      return (x) => back(~x);
    default:
      throw new TypeError(`logrung: no ${op} of ${type}`);
  }
}

const saturate =
  (low: number, high: number): Unary =>
  (x) =>
    Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high) + 0;

/** The function of a binary operation on two values of `type`. */
export function binaryFunction(op: BinaryOp, type: ValueType, precision: Precision): Binary {
  const same = ANY_BINARY[op];
  if (same) return same;
  const exact = (type === "f32" ? FLOAT_BINARY : INTEGER_BINARY)[op];
  if (!exact) throw new TypeError(`logrung: no ${op} of ${type}`);
  if (type === "f32" && precision === "float64") return exact;
  const back = wrap(type, precision);
  return (a, b) => back(exact(a, b));
}
