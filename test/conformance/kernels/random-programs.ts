/**
 * Random well-typed pointwise programs, without fma and transcendentals: their bits are the same everywhere.
 */
import { array, nat, toStringMethod, tuple, type Arbitrary } from "fast-check";

import { pointwise, type PointwiseKernel } from "../../../src/kernels/pointwise.ts";
import {
  constant, index, select, Table, type BinaryOp, type StorageType, type UnaryOp, Value, type ValueType,
} from "../../../src/kernels/program.ts"; // prettier-ignore
import {
  element,
  output,
  perBlock,
  perColumn,
  perRow,
  scalar,
  type Inputs,
  type Outputs,
} from "../../../src/kernels/signature.ts";
import { AWKWARD_FLOATS, AWKWARD_INTEGERS } from "./seeded.ts";

/** Everything a program reads; each access and storage once. */
export const INPUTS = {
  f: element("f32"), g: element("f32"), h: perColumn("bf16"), t: scalar("f16"), i: element("i32"),
  j: perRow("i8"),
  u: element("u32"), v: element("u8"), w: perColumn("u16"), o: perBlock("f32"),
} satisfies Inputs; // prettier-ignore

const BINARY: readonly BinaryOp[] = [
  "add", "sub", "mul", "div", "min", "max", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge",
]; // prettier-ignore
const UNARY: Readonly<Record<ValueType, readonly UnaryOp[]>> = {
  f32: [
    "neg",
    "abs",
    "sqrt",
    "floor",
    "ceil",
    "trunc",
    "nearest",
    "reciprocal",
    "toI32",
    "toU32",
    "asI32",
    "asU32",
  ],
  i32: ["neg", "abs", "not", "toF32", "toU32", "asF32", "asU32"],
  u32: ["neg", "not", "toF32", "toI32", "asF32", "asI32"],
  bool: ["not", "toF32", "toI32", "toU32"],
};
const TYPES: readonly ValueType[] = ["f32", "i32", "u32", "bool"];
const STORED: Readonly<Record<"f32" | "i32" | "u32", readonly StorageType[]>> = {
  f32: ["f32", "bf16", "f16"],
  i32: ["i32", "i8"],
  u32: ["u32", "u8", "u16"],
};
const ENTRIES = new Table(Uint32Array.from({ length: 32 }, (_, i) => Math.imul(i + 3, 0x85ebca6b) >>> 0));

/** One instruction of a recipe: what to do, on which of the values made so far. */
type Instruction = readonly [action: number, type: number, a: number, b: number, c: number];

const choose = <T>(list: readonly T[], at: number): T => list[at % list.length];

/** The pool of values a recipe draws from, by type, and grows. */
class Pool {
  private readonly values: Record<ValueType, Value[]> = { f32: [], i32: [], u32: [], bool: [] };

  add(value: Value): void {
    this.values[value.type].push(value);
  }

  /** Prefers the newest values, so that programs grow deep. */
  take(type: ValueType, at: number): Value {
    const list = this.values[type];
    return list[list.length - 1 - (at % Math.min(list.length, 6))];
  }

  last(type: ValueType): Value {
    return this.take(type, 0);
  }
}

/** A NaN's bits differ from machine to machine: 0 in its place. */
const withoutNaN = (x: Value): Value => select(x.eq(x), x, 0);

function binaryOf(type: ValueType, a: Value, b: Value, at: number): Value {
  const fitting = BINARY.filter((op) => {
    const logical = op === "and" || op === "or" || op === "xor";
    if (type === "bool") return logical || op === "eq" || op === "ne";
    return type === "f32" ? !logical : op !== "div";
  });
  return a[choose(fitting, at)](b);
}

function unaryOf(x: Value, at: number): Value {
  const op = choose(UNARY[x.type], at);
  const operand = op.startsWith("as") && x.type === "f32" ? withoutNaN(x) : x;
  const type = op.endsWith("F32") ? "f32" : op.endsWith("I32") ? "i32" : op.endsWith("U32") ? "u32" : x.type;
  return new Value(type, { kind: "unary", op, x: operand });
}

function constantOf(type: ValueType, at: number): Value {
  if (type === "f32") return constant("f32", choose(AWKWARD_FLOATS, at));
  if (type === "bool") return constant("bool", at % 2);
  const value = choose(AWKWARD_INTEGERS, at);
  return constant(type, type === "i32" ? value | 0 : value >>> 0);
}

function perform(pool: Pool, [action, t, a, b, c]: Instruction): Value {
  const type = choose(TYPES, t);
  switch (action % 8) {
    case 0:
      return unaryOf(pool.take(type, a), b);
    case 1:
      return select(pool.take("bool", c), pool.take(type, a), pool.take(type, b));
    case 2: {
      const integer = pool.take(type === "i32" ? "i32" : "u32", a);
      return c % 2 === 0 ? integer.shl(b % 32) : integer.shr(b % 32);
    }
    case 3:
      return binaryOf(type, pool.take(type, a), constantOf(type, b), c);
    case 4:
      return ENTRIES.at(pool.take("u32", a).and(31));
    default:
      return binaryOf(type, pool.take(type, a), pool.take(type, b), c);
  }
}

/** The kernel of a recipe: the last value of each type, each in one of its storages. */
function kernelOf(recipe: readonly Instruction[], storages: readonly number[]): PointwiseKernel {
  return pointwise("random", INPUTS, { x: "f32", n: "u32" }, (scope) => {
    const pool = new Pool();
    for (const value of [...Object.values(scope), index(), index("row"), index("column")]) pool.add(value);
    pool.add(scope.f.lt(scope.g));
    for (const instruction of recipe) pool.add(perform(pool, instruction));
    const outputs: Record<string, Outputs[string]> = { bool: output("u8", pool.last("bool").toU32()) };
    for (const [i, type] of (["f32", "i32", "u32"] as const).entries())
      outputs[type] = output(choose(STORED[type], storages[i]), pool.last(type));
    return outputs;
  });
}

const small = nat({ max: 255 });

/** Random kernels of 1 to 40 operations. */
export const randomKernel: Arbitrary<PointwiseKernel> = tuple(
  array(tuple(small, small, small, small, small), { minLength: 1, maxLength: 40 }),
  tuple(small, small, small),
)
  .map(([recipe, storages]) => kernelOf(recipe, storages))
  .map((kernel) => Object.assign(kernel, { [toStringMethod]: () => told(kernel) }));

/** A counterexample as text: its outputs as nested expressions. */
function told({ outputs }: PointwiseKernel): string {
  return Object.entries(outputs)
    .map(([name, { storage, value }]) => `${name}: ${storage} = ${text(value)}`)
    .join("\n");
}

function text({ type, node }: Value): string {
  switch (node.kind) {
    case "constant":
      return `${type} ${node.value}`;
    case "unary":
      return `${text(node.x)}.${node.op}()`;
    case "binary":
      return `${text(node.a)}.${node.op}(${text(node.b)})`;
    case "shift":
      return `${text(node.x)}.${node.op}(${node.by})`;
    case "select":
      return `select(${text(node.condition)}, ${text(node.yes)}, ${text(node.no)})`;
    case "lookup":
      return `table[${text(node.at)}]`;
    case "index":
      return `index(${node.axis})`;
    case "input":
    case "uniform":
      return node.name;
    default:
      return node.kind;
  }
}
