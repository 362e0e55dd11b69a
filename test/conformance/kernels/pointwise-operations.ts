/** Every operation of the language, once, over awkward operands. */
import { pointwise } from "../../../src/kernels/pointwise.ts";
import {
  fma,
  select,
  type BinaryOp,
  type StorageType,
  type UnaryOp,
  Value,
} from "../../../src/kernels/program.ts";
import { element, output, type Output, type Outputs } from "../../../src/kernels/signature.ts";
import { exact, ulps, type Case, type Tolerance } from "./case.ts";
import { AWKWARD_FLOATS, AWKWARD_INTEGERS, held, integers, normals, pairs } from "./seeded.ts";

type Number32 = "f32" | "i32" | "u32";

const COMPARISONS: readonly BinaryOp[] = ["eq", "ne", "lt", "le", "gt", "ge"];
const BITWISE: readonly BinaryOp[] = ["and", "or", "xor"];
const COMMON: readonly BinaryOp[] = ["add", "sub", "mul", "min", "max", ...COMPARISONS];
const TRANSCENDENTAL: readonly UnaryOp[] = ["exp2", "log2", "exp", "log", "tanh", "erf"];
const FLOAT_UNARY: readonly UnaryOp[] = [
  "neg", "abs", "sqrt", "floor", "ceil", "trunc", "nearest", "reciprocal", "toF32", "toI32", "toU32",
  "asF32", "asI32", "asU32",
]; // prettier-ignore
const INTEGER_UNARY: readonly UnaryOp[] = [
  "neg",
  "abs",
  "not",
  "toF32",
  "toI32",
  "toU32",
  "asF32",
  "asI32",
  "asU32",
];

const operationsOf = {
  f32: { unary: FLOAT_UNARY, binary: [...COMMON, "div" as const] },
  i32: { unary: INTEGER_UNARY, binary: [...COMMON, ...BITWISE] },
  u32: { unary: INTEGER_UNARY, binary: [...COMMON, ...BITWISE] },
} satisfies Record<Number32, { unary: readonly UnaryOp[]; binary: readonly BinaryOp[] }>;

/** A value as an output of its own type; a condition as 0 or 1. */
export function outputOf(value: Value): Output {
  if (value.type === "bool") return output("u32", value.toU32());
  return output(value.type, value);
}

/** Builds a node by the name of its operation: some operations have no method of their own on Value. */
function unaryNode(op: UnaryOp, x: Value): Value {
  const type = op.endsWith("F32") ? "f32" : op.endsWith("I32") ? "i32" : op.endsWith("U32") ? "u32" : x.type;
  return new Value(type, { kind: "unary", op, x });
}

/** Both operands of every pair of awkward numbers, and of many ordinary ones. */
function operandsOf(type: Number32): [number[], number[]] {
  const [a, b] = pairs(type === "f32" ? AWKWARD_FLOATS : AWKWARD_INTEGERS);
  const more = (seed: number): number[] =>
    type === "f32" ? normals(203, seed, 1000) : integers(203, seed, -(2 ** 31), 2 ** 31 - 1);
  return [
    [...a, ...more(1)],
    [...b, ...more(2)],
  ];
}

function unaryCase(type: Number32): Case {
  const [a] = operandsOf(type);
  const kernel = pointwise(`unary ${type}`, { a: element(type) }, {}, (s) =>
    record(operationsOf[type].unary, (op) => outputOf(unaryNode(op, s.a))),
  );
  return operationCase(kernel, { a: held(type, a) }, type, exact);
}

function binaryCase(type: Number32): Case {
  const [a, b] = operandsOf(type);
  const ops = operationsOf[type].binary;
  const kernel = pointwise(`binary ${type}`, { a: element(type), b: element(type) }, {}, (s) =>
    record(ops, (op) => outputOf(s.a[op](s.b))),
  );
  return operationCase(kernel, { a: held(type, a), b: held(type, b) }, type, exact);
}

function shiftCase(type: "i32" | "u32"): Case {
  const [a] = operandsOf(type);
  const kernel = pointwise(`shifts ${type}`, { a: element(type) }, {}, ({ a: x }) =>
    record(["0", "1", "7", "16", "31"], (by) => output(type, x.shl(Number(by)).xor(x.shr(Number(by))))),
  );
  return operationCase(kernel, { a: held(type, a) }, type, exact);
}

/** select, fma, and the logic of conditions. */
function mixedCases(): Case[] {
  const [a, b] = operandsOf("f32");
  const logic = pointwise("conditions", { a: element("f32"), b: element("f32") }, {}, (s) => {
    const [less, positive] = [s.a.lt(s.b), s.a.gt(0)];
    return {
      select: output("f32", select(less, s.a, s.b)),
      integers: output("i32", select(less.and(positive), s.a.toI32(), -1)),
      words: output("u32", select(less.or(positive), s.a.asU32(), 7)),
      xor: outputOf(less.xor(positive)),
      eq: outputOf(less.eq(positive)),
      ne: outputOf(less.ne(positive)),
      not: outputOf(less.not()),
      toF32: output("f32", less.toF32()),
      toI32: output("i32", positive.toI32()),
    };
  });
  const inputs = { a: held("f32", a), b: held("f32", b) };
  const [x, y, z] = [3, 4, 5].map((seed) => normals(515, seed));
  const fused = pointwise("fma", { a: element("f32"), b: element("f32"), c: element("f32") }, {}, (s) => ({
    y: output("f32", fma(s.a, s.b, s.c)),
  }));
  const data = { a: held("f32", x), b: held("f32", y), c: held("f32", z) };
  // Two roundings: half an ulp of the product, half an ulp of the sum.
  const bound = (i: number): number => 2 ** -24 * (2 * Math.abs(data.a[i] * data.b[i]) + Math.abs(data.c[i]));
  return [
    operationCase(logic, inputs, "f32", exact),
    operationCase(fused, data, "f32", { kind: "bound", bound }),
  ];
}

function transcendentalCase(): Case {
  const wide = normals(600, 6).map((x, i) => x * 2 ** ((i % 60) - 30));
  const a = [...AWKWARD_FLOATS, ...wide, ...normals(601, 7, 5)];
  const kernel = pointwise("transcendentals", { a: element("f32") }, {}, (s) =>
    record(TRANSCENDENTAL, (op) => output("f32", unaryNode(op, s.a))),
  );
  return operationCase(kernel, { a: held("f32", a) }, "f32", ulps(2));
}

const record = <K extends string>(names: readonly K[], make: (name: K) => Output): Outputs =>
  Object.fromEntries(names.map((name) => [name, make(name)]));

function operationCase(
  kernel: ReturnType<typeof pointwise>,
  data: Readonly<Record<string, ReturnType<typeof held>>>,
  storage: StorageType,
  tolerance: Tolerance,
): Case {
  const length = data.a.length;
  return {
    name: kernel.name,
    kernel,
    sizes: { rows: 1, columns: length },
    inputs: Object.fromEntries(
      Object.entries(data).map(([name, values]) => [name, { storage, data: values }]),
    ),
    outputs: Object.fromEntries(
      Object.entries(kernel.outputs).map(([name, out]) => [name, { storage: out.storage, length }]),
    ),
    tolerance,
  };
}

/** Every operation on every type that has it. */
export const operationCases: readonly Case[] = [
  ...(["f32", "i32", "u32"] as const).flatMap((type) => [unaryCase(type), binaryCase(type)]),
  shiftCase("i32"),
  shiftCase("u32"),
  ...mixedCases(),
  transcendentalCase(),
];
