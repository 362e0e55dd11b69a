/** Equal expressions that take fewer instructions, rule by rule. */
import { f32, i32, select, u32, Value, type BinaryOp, type Node } from "../program.ts";
import type { Ranges } from "./expression-range.ts";
import { roundings } from "./expression-rounding.ts";

/** Half of 2³²: below it an unsigned number is the same as a signed one. */
const SIGNED_LIMIT = 2 ** 31;

/**
 * One step of rewriting; the value itself when no rule applies. Exact for every input.
 *
 * @param wide whether instructions that V8 does not widen to 256 bits are to be avoided.
 */
export function simplify(value: Value, ranges: Ranges, wide: boolean): Value {
  const { node } = value;
  if (node.kind === "unary") return simplifyUnary(value, node, ranges, wide);
  if (node.kind === "select") return turned(value, node, ranges);
  if (node.kind === "shift") return node.by === 0 ? node.x : value;
  return node.kind === "binary" && node.op === "and" ? maskedShift(value, node) : value;
}

/** (x ≪ a ≫ b) & mask of an unsigned x: one shift by the difference, since the mask cuts off what it leaves in. */
function maskedShift(value: Value, { a, b }: Node & { kind: "binary" }): Value {
  const right = a.node;
  if (a.type !== "u32" || b.node.kind !== "constant" || right.kind !== "shift" || right.op !== "shr")
    return value;
  const left = right.x.node;
  if (left.kind !== "shift" || left.op !== "shl") return value;
  const by = left.by - right.by;
  const mask = (b.node.value & ((0xffffffff << left.by) >>> right.by)) >>> 0;
  return (by >= 0 ? left.x.shl(by) : left.x.shr(-by)).and(mask);
}

function simplifyUnary(value: Value, node: Node & { kind: "unary" }, ranges: Ranges, wide: boolean): Value {
  const { op, x } = node;
  if (op.startsWith("as") && x.type === value.type) return x;
  if (x.type === "bool" && op !== "not") return one(op, x);
  const fits = x.type !== "f32" && ranges.bound(x) < SIGNED_LIMIT;
  if (op === "toU32" && x.type === "i32") return fits ? x.asU32() : x.max(0).asU32();
  if (op === "toI32" && x.type === "u32") return fits ? x.asI32() : x.min(0x7fffffff).asI32();
  if (op === "toF32" && x.type === "u32" && fits) return x.asI32().toF32();
  return (wide && roundings[op]?.(x)) || value;
}

/** A condition as a number. */
function one(op: string, condition: Value): Value {
  if (op === "toF32") return select(condition, f32(1), f32(0));
  return op === "toI32" ? select(condition, i32(1), i32(0)) : select(condition, u32(1), u32(0));
}

/** A floor that is converted to an integer next, in one; any other value as it is. */
export function fuseFloor(value: Value): Value {
  const { node } = value;
  const floored = node.kind === "unary" && node.op === "toI32" ? node.x.node : null;
  return floored?.kind === "unary" && floored.op === "floor" ? floorToInteger(floored.x) : value;
}

/**
 * ⌊x⌋ as an integer: truncated, less one where that is above x. -2³¹ and below stay what they saturate to, NaN is 0.
 */
function floorToInteger(x: Value): Value {
  const whole = x.max(-(2 ** 31)).toI32();
  return whole.sub(select(whole.toF32().gt(x.max(-(2 ** 31))), i32(1), i32(0)));
}

const OPPOSITE: Readonly<Partial<Record<BinaryOp, BinaryOp>>> = {
  eq: "ne", ne: "eq", lt: "ge", ge: "lt", le: "gt", gt: "le",
}; // prettier-ignore

/** Comparisons of integers that take a further instruction to negate their result. */
const NEGATED = { signed: ["ne", "le", "ge"], unsigned: ["ne", "lt", "gt"] };

/** A selection by a comparison that is cheaper the other way round. */
function turned(value: Value, { condition, yes, no }: Node & { kind: "select" }, ranges: Ranges): Value {
  const test = condition.node;
  if (test.kind === "unary" && test.op === "not") return select(test.x, no, yes);
  if (test.kind !== "binary" || test.a.type === "f32" || test.a.type === "bool") return value;
  const signed = test.a.type === "i32" || comparesAsSigned(test, ranges);
  const opposite = OPPOSITE[test.op];
  if (!opposite || !NEGATED[signed ? "signed" : "unsigned"].includes(test.op)) return value;
  return select(new Value("bool", { ...test, op: opposite }), no, yes);
}

/** Whether both operands are known to be below 2³¹, so that signed instructions do. */
export const comparesAsSigned = ({ a, b }: Node & { kind: "binary" }, ranges: Ranges): boolean =>
  a.type === "u32" && ranges.bound(a) < SIGNED_LIMIT && ranges.bound(b) < SIGNED_LIMIT;
