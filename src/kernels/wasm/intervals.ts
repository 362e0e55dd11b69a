/** Between which numbers the integers of a lowered graph lie. */
import type { BinaryOp, Value } from "../program.ts";
import type { Graph } from "./expression-graph.ts";

/** From the first to the second, both included; of conditions, as masks. */
export type Interval = readonly [number, number];

const ANY: Interval = [-Infinity, Infinity];

/** Whether an interval lies in [-limit, limit). */
export const inside = ([low, high]: Interval, limit: number): boolean => low >= -limit && high < limit;

/** Smallest 2ⁿ - 1 that is at least `bound`. */
const allOnes = (bound: number): number => 2 ** (32 - Math.clz32(bound)) - 1;

/** Unknown where a number may wrap around, or was a float. */
export class Intervals {
  private readonly graph: Graph;
  private readonly known = new Map<Value, Interval>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  of(value: Value): Interval {
    const found = this.known.get(value);
    if (found) return found;
    const computed = value.type === "f32" ? ANY : this.compute(value);
    // A bound on one side of something unknown is kept; all else may have wrapped around.
    const { node } = value;
    const bounds = node.kind === "binary" && (node.op === "min" || node.op === "max");
    const interval = bounds || inside(computed, 2 ** 31) ? computed : ANY;
    this.known.set(value, interval);
    return interval;
  }

  private compute(value: Value): Interval {
    const { node } = value;
    if (value.type === "bool") return [-1, 0];
    switch (node.kind) {
      case "constant":
        return [node.value, node.value];
      case "unary":
        return this.unary(node.op, node.x);
      case "binary":
        return joined(node.op, this.of(node.a), this.of(node.b));
      case "shift":
        return node.op === "shr" ? this.shifted(value, node.x, node.by) : ANY;
      case "select": {
        const [yes, no] = [this.of(node.yes), this.of(node.no)];
        return [Math.min(yes[0], no[0]), Math.max(yes[1], no[1])];
      }
      case "input": {
        const bound = this.graph.ranges.bound(value);
        return value.type === "u32" ? [0, bound] : ANY;
      }
      default:
        return ANY;
    }
  }

  private unary(op: string, x: Value): Interval {
    const [low, high] = this.of(x);
    if (op === "neg") return [-high, -low];
    // Of a number of either type that is not negative the bits are the same.
    return x.type !== "f32" && (op === "asI32" || op === "asU32") && low >= 0 ? [low, high] : ANY;
  }

  private shifted(value: Value, x: Value, by: number): Interval {
    if (value.type === "u32") return [0, Math.floor(this.graph.ranges.bound(x) / 2 ** by)];
    return [-(2 ** (31 - by)), 2 ** (31 - by) - 1];
  }
}

function joined(op: BinaryOp, a: Interval, b: Interval): Interval {
  switch (op) {
    case "add":
      return [a[0] + b[0], a[1] + b[1]];
    case "sub":
      return [a[0] - b[1], a[1] - b[0]];
    case "min":
      return [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
    case "max":
      return [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
    case "and":
      if (a[0] >= 0 || b[0] >= 0)
        return [0, Math.min(a[0] >= 0 ? a[1] : Infinity, b[0] >= 0 ? b[1] : Infinity)];
      return bitwise(a, b);
    case "or":
    case "xor":
      return bitwise(a, b);
    default:
      return ANY;
  }
}

function bitwise(a: Interval, b: Interval): Interval {
  const largest = Math.max(a[1], b[1], -a[0] - 1, -b[0] - 1);
  if (largest >= 2 ** 31) return ANY;
  const ones = allOnes(largest);
  return [a[0] < 0 || b[0] < 0 ? -ones - 1 : 0, ones];
}
