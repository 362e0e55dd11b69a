/**
 * The kernel language: typed scalar expressions, as data. A backend interprets them (`reference/`) or prints
 * them (`wasm/`); nothing here knows how.
 *
 * An expression is a directed acyclic graph of {@link Value}s. Sharing a Value shares its computation.
 * Semantics, the same on every backend:
 *
 * - f32 `add sub mul div sqrt` round once, as IEEE 754; `fma` may round once or twice.
 * - i32 and u32 wrap modulo 2³²; `shr` is arithmetic on i32 and logical on u32.
 * - `min(a, b)` is `b < a ? b : a` and `max(a, b)` is `a < b ? b : a`: a NaN in `a` stays, a NaN in `b` is dropped.
 * - `toI32` and `toU32` truncate and saturate; NaN gives 0.
 */

/** What a value is while it is computed with. */
export type ValueType = "f32" | "i32" | "u32" | "bool";

/** How a value lies in memory. Loads widen to a {@link ValueType}, stores round or wrap back. */
export type StorageType = "f32" | "bf16" | "f16" | "u8" | "i8" | "u16" | "i32" | "u32";

/** Bytes of one element. */
export const storageBytes: Readonly<Record<StorageType, number>> = {
  f32: 4, bf16: 2, f16: 2, u8: 1, i8: 1, u16: 2, i32: 4, u32: 4,
}; // prettier-ignore

/** The type a load of each storage gives. */
export const loadedType: Readonly<Record<StorageType, "f32" | "i32" | "u32">> = {
  f32: "f32", bf16: "f32", f16: "f32", u8: "u32", i8: "i32", u16: "u32", i32: "i32", u32: "u32",
}; // prettier-ignore

export type UnaryOp =
  | "neg" | "abs" | "not" | "sqrt" | "floor" | "ceil" | "trunc" | "nearest"
  | "exp2" | "log2" | "exp" | "log" | "tanh" | "erf" | "reciprocal"
  | "toF32" | "toI32" | "toU32" | "asF32" | "asI32" | "asU32"; // prettier-ignore
export type BinaryOp =
  | "add" | "sub" | "mul" | "div" | "min" | "max" | "and" | "or" | "xor"
  | "eq" | "ne" | "lt" | "le" | "gt" | "ge"; // prettier-ignore

/** Where an `index` value counts: the whole element number, or its row or column in a [rows, columns] view. */
export type IndexAxis = "element" | "row" | "column";

/** One node of the graph, discriminated by `kind`. */
export type Node =
  | { kind: "constant"; value: number }
  | { kind: "uniform"; name: string }
  | { kind: "input"; name: string }
  /** An element output that an earlier stage of the same kernel has stored (`rows` only). */
  | { kind: "stored"; name: string }
  /** The result of an earlier reduction of the same kernel (`rows`, `columns`). */
  | { kind: "reduced"; name: string }
  /** The finished sum Σₖ a·b of this element of C (`gemm` epilogues). */
  | { kind: "product" }
  | { kind: "index"; axis: IndexAxis }
  | { kind: "lookup"; table: string | Table; at: Value }
  | { kind: "unary"; op: UnaryOp; x: Value }
  | { kind: "binary"; op: BinaryOp; a: Value; b: Value }
  | { kind: "shift"; op: "shl" | "shr"; x: Value; by: number }
  | { kind: "fma"; a: Value; b: Value; c: Value }
  | { kind: "select"; condition: Value; yes: Value; no: Value };

/** Constant data that travels with a program; the backend places it in its memory once, when it compiles. */
export class Table {
  readonly storage: "f32" | "u32";
  readonly data: Float32Array | Uint32Array;
  constructor(data: Float32Array | Uint32Array) {
    this.storage = data instanceof Float32Array ? "f32" : "u32";
    this.data = data;
  }
  /** Entry `at`; the caller keeps `at` inside the table. */
  at(at: Value): Value {
    return lookup(this, this.storage, at);
  }
}

/** A number where a {@link Value} is wanted becomes a constant of the other operand's type. */
export type Operand = Value | number;

/** Thrown while a program is being built, when its types do not fit. */
export class ProgramError extends TypeError {
  override name = "ProgramError";
}

const COMPARISONS: ReadonlySet<BinaryOp> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);
const FLOAT_UNARY: ReadonlySet<UnaryOp> = new Set([
  "sqrt", "floor", "ceil", "trunc", "nearest", "exp2", "log2", "exp", "log", "tanh", "erf", "reciprocal",
]); // prettier-ignore

/** A typed expression. Immutable; build one with the functions below or its own methods. */
export class Value {
  readonly type: ValueType;
  readonly node: Node;
  constructor(type: ValueType, node: Node) {
    this.type = type;
    this.node = node;
  }

  add(b: Operand): Value { return binary("add", this, b); }
  sub(b: Operand): Value { return binary("sub", this, b); }
  mul(b: Operand): Value { return binary("mul", this, b); }
  div(b: Operand): Value { return binary("div", this, b); }
  min(b: Operand): Value { return binary("min", this, b); }
  max(b: Operand): Value { return binary("max", this, b); }
  and(b: Operand): Value { return binary("and", this, b); }
  or(b: Operand): Value { return binary("or", this, b); }
  xor(b: Operand): Value { return binary("xor", this, b); }
  eq(b: Operand): Value { return binary("eq", this, b); }
  ne(b: Operand): Value { return binary("ne", this, b); }
  lt(b: Operand): Value { return binary("lt", this, b); }
  le(b: Operand): Value { return binary("le", this, b); }
  gt(b: Operand): Value { return binary("gt", this, b); }
  ge(b: Operand): Value { return binary("ge", this, b); }
  /** this · b + c, in one rounding or two. */
  fma(b: Operand, c: Operand): Value { return fma(this, b, c); }
  shl(by: number): Value { return shift("shl", this, by); }
  shr(by: number): Value { return shift("shr", this, by); }
  clamp(low: Operand, high: Operand): Value { return this.max(low).min(high); }
  neg(): Value { return unary("neg", this); }
  abs(): Value { return unary("abs", this); }
  not(): Value { return unary("not", this); }
  sqrt(): Value { return unary("sqrt", this); }
  floor(): Value { return unary("floor", this); }
  nearest(): Value { return unary("nearest", this); }
  exp2(): Value { return unary("exp2", this); }
  log2(): Value { return unary("log2", this); }
  exp(): Value { return unary("exp", this); }
  log(): Value { return unary("log", this); }
  tanh(): Value { return unary("tanh", this); }
  erf(): Value { return unary("erf", this); }
  reciprocal(): Value { return unary("reciprocal", this); }
  /** Numeric conversion. */
  toF32(): Value { return unary("toF32", this); }
  toI32(): Value { return unary("toI32", this); }
  toU32(): Value { return unary("toU32", this); }
  /** The same 32 bits under another type. */
  asF32(): Value { return unary("asF32", this); }
  asI32(): Value { return unary("asI32", this); }
  asU32(): Value { return unary("asU32", this); }
} // prettier-ignore

/** A constant. @throws ProgramError when `value` does not fit the type. */
export function constant(type: ValueType, value: number): Value {
  const fits =
    type === "f32" ||
    (type === "bool" && (value === 0 || value === 1)) ||
    (type === "i32" && value === (value | 0)) ||
    (type === "u32" && value === value >>> 0);
  if (!fits) throw new ProgramError(`constant ${value} does not fit type ${type}`);
  return new Value(type, { kind: "constant", value: type === "f32" ? Math.fround(value) : value });
}
export const f32 = (value: number): Value => constant("f32", value);
export const i32 = (value: number): Value => constant("i32", value);
export const u32 = (value: number): Value => constant("u32", value);

/** A number that changes from run to run without recompiling: a learning rate, a step's random key. */
export const uniform = (type: "f32" | "i32" | "u32", name: string): Value =>
  new Value(type, { kind: "uniform", name });
/** This element of a declared input. */
export const input = (name: string, storage: StorageType): Value =>
  new Value(loadedType[storage], { kind: "input", name });
export const stored = (name: string, storage: StorageType): Value =>
  new Value(loadedType[storage], { kind: "stored", name });
export const reduced = (name: string): Value => new Value("f32", { kind: "reduced", name });
export const product = (): Value => new Value("f32", { kind: "product" });
export const index = (axis: IndexAxis = "element"): Value => new Value("u32", { kind: "index", axis });
/** Entry `at` of a declared input of access `table`, or of a constant {@link Table}. The caller keeps `at` inside the table. */
export const lookup = (table: string | Table, storage: StorageType, at: Value): Value => {
  if (at.type !== "u32" && at.type !== "i32")
    throw new ProgramError(`lookup index is ${at.type}, wants u32 or i32`);
  return new Value(loadedType[storage], { kind: "lookup", table, at });
};

/** `condition ? yes : no`, lane by lane. */
export function select(condition: Value, yes: Operand, no: Operand): Value {
  if (condition.type !== "bool")
    throw new ProgramError(`select wants a bool condition, got ${condition.type}`);
  const [a, b] = unify("select", yes, no);
  return new Value(a.type, { kind: "select", condition, yes: a, no: b });
}

/** a · b + c, in one rounding or two (whichever the machine does faster). */
export function fma(a: Value, b: Operand, c: Operand): Value {
  const y = lift(b, a.type);
  const z = lift(c, a.type);
  if (a.type !== "f32" || y.type !== "f32" || z.type !== "f32")
    throw new ProgramError("fma wants f32 operands");
  return new Value("f32", { kind: "fma", a, b: y, c: z });
}

export const max = (a: Value, b: Operand): Value => a.max(b);
export const min = (a: Value, b: Operand): Value => a.min(b);

function lift(x: Operand, type: ValueType): Value {
  return typeof x === "number" ? constant(type, x) : x;
}

function unify(op: string, a: Operand, b: Operand): [Value, Value] {
  if (typeof a === "number" && typeof b === "number")
    throw new ProgramError(`${op} of two plain numbers has no type`);
  const x = typeof a === "number" ? lift(a, (b as Value).type) : a;
  const y = lift(b, x.type);
  if (x.type !== y.type) throw new ProgramError(`${op} of ${x.type} and ${y.type}`);
  return [x, y];
}

function binary(op: BinaryOp, left: Value, right: Operand): Value {
  const [a, b] = unify(op, left, right);
  const logical = op === "and" || op === "or" || op === "xor";
  if (a.type === "bool" && !logical && op !== "eq" && op !== "ne") throw new ProgramError(`${op} of bool`);
  if (a.type === "f32" && logical) throw new ProgramError(`${op} of f32: use asU32 first`);
  if (a.type !== "f32" && op === "div") throw new ProgramError(`div of ${a.type}: only f32 divides`);
  return new Value(COMPARISONS.has(op) ? "bool" : a.type, { kind: "binary", op, a, b });
}

function unary(op: UnaryOp, x: Value): Value {
  if (FLOAT_UNARY.has(op) && x.type !== "f32") throw new ProgramError(`${op} of ${x.type}, wants f32`);
  if (op === "not" && x.type === "f32") throw new ProgramError("not of f32: use asU32 first");
  if (x.type === "bool" && op !== "not" && !op.startsWith("to")) throw new ProgramError(`${op} of bool`);
  const type = op.endsWith("F32") ? "f32" : op.endsWith("I32") ? "i32" : op.endsWith("U32") ? "u32" : x.type;
  return new Value(type, { kind: "unary", op, x });
}

function shift(op: "shl" | "shr", x: Value, by: number): Value {
  if (x.type !== "i32" && x.type !== "u32") throw new ProgramError(`${op} of ${x.type}, wants i32 or u32`);
  if (!Number.isInteger(by) || by < 0 || by > 31) throw new ProgramError(`${op} by ${by}: wants 0..31`);
  return new Value(x.type, { kind: "shift", op, x, by });
}

/** The values a node is computed from, in order. */
export function operands(value: Value): readonly Value[] {
  const node = value.node;
  switch (node.kind) {
    case "unary":
    case "shift":
      return [node.x];
    case "binary":
      return [node.a, node.b];
    case "fma":
      return [node.a, node.b, node.c];
    case "select":
      return [node.condition, node.yes, node.no];
    case "lookup":
      return [node.at];
    default:
      return [];
  }
}
