/** The transcendentals written in the kernel language, for backends whose machine has none. */
import { f32, type UnaryOp, type Value } from "../program.ts";
import { exp, exp2 } from "./exponentials.ts";
import { log, log2 } from "./logarithms.ts";
import { erf, tanh } from "./sigmoids.ts";

/** The operations that have an expansion. */
export type ExpandedOp = "exp2" | "log2" | "exp" | "log" | "tanh" | "erf" | "reciprocal";

/** 1 / x. */
const reciprocal = (x: Value): Value => f32(1).div(x);

/**
 * Each operation as a function of the operations that every machine has. Within 2 ulp of the exact value for
 * every float32, whether `fma` rounds once or twice; ±0, subnormals, ±Inf and NaN as in C99, annex F.
 */
export const expansions: Readonly<Record<ExpandedOp, (x: Value) => Value>> = {
  exp2, log2, exp, log, tanh, erf, reciprocal,
}; // prettier-ignore

const expanded = new WeakMap<Value, Value>();

/**
 * A value whose own operation, when it is one of {@link expansions}, is written out; any other value as it
 * is. What it is computed from stays as it was. The same value always gives the same expansion.
 */
export function expand(value: Value): Value {
  const { node } = value;
  if (node.kind !== "unary" || !isExpanded(node.op)) return value;
  let result = expanded.get(value);
  if (!result) expanded.set(value, (result = expansions[node.op](node.x)));
  return result;
}

const isExpanded = (op: UnaryOp): op is ExpandedOp => Object.hasOwn(expansions, op);
