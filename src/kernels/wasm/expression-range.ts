/** How large an integer value can get, where that saves instructions. */
import type { BinaryOp, Value, ValueType } from "../program.ts";

const FULL = 0xffffffff;

/** An upper bound of a value's 32 bits read as unsigned; 2³² - 1 where nothing better is known. */
export class Ranges {
  private readonly known = new Map<Value, number>();
  private readonly ofLeaf: (value: Value) => number;

  /** @param ofLeaf bound of an input, stored value or table entry. */
  constructor(ofLeaf: (value: Value) => number) {
    this.ofLeaf = ofLeaf;
  }

  bound(value: Value): number {
    const known = this.known.get(value);
    if (known !== undefined) return known;
    const bound = value.type === "f32" ? FULL : this.compute(value);
    this.known.set(value, bound);
    return bound;
  }

  private compute(value: Value): number {
    const node = value.node;
    switch (node.kind) {
      case "constant":
        return node.value >>> 0;
      case "unary":
        return this.unary(node.op, node.x);
      case "binary":
        return binaryBound(node.op, value.type, this.bound(node.a), this.bound(node.b));
      case "shift":
        return this.shift(node.op, value, node.x, node.by);
      case "select":
        return Math.max(this.bound(node.yes), this.bound(node.no));
      case "input":
      case "stored":
      case "lookup":
        return this.ofLeaf(value);
      default:
        return FULL;
    }
  }

  private unary(op: string, x: Value): number {
    if (x.type === "bool" && op.startsWith("to")) return 1;
    if (x.type === "f32") return FULL;
    if (op === "asI32" || op === "asU32") return this.bound(x);
    const converts = (op === "toU32" && x.type === "i32") || (op === "toI32" && x.type === "u32");
    return converts ? Math.min(this.bound(x), 2 ** 31 - 1) : FULL;
  }

  private shift(op: "shl" | "shr", value: Value, x: Value, by: number): number {
    const bound = this.bound(x);
    if (op === "shl") return bound * 2 ** by <= FULL ? bound * 2 ** by : FULL;
    return value.type === "u32" || bound < 2 ** 31 ? Math.floor(bound / 2 ** by) : FULL;
  }
}

/** Smallest 2ⁿ - 1 that is at least `bound`. */
const allOnes = (bound: number): number => 2 ** (32 - Math.clz32(bound)) - 1;

function binaryBound(op: BinaryOp, type: ValueType, a: number, b: number): number {
  const fits = (bound: number) => (bound <= FULL ? bound : FULL);
  const small = Math.max(a, b) < 2 ** 31;
  if (op === "and") return Math.min(a, b);
  if (op === "or" || op === "xor") return allOnes(Math.max(a, b));
  if (op === "add") return fits(a + b);
  if (op === "mul") return fits(a * b);
  if (op === "min" && small) return Math.min(a, b);
  if (op === "max" && small) return Math.max(a, b);
  // The larger of anything signed and a number that is not negative is not negative.
  if (op === "max" && type === "i32" && Math.min(a, b) < 2 ** 31) return 2 ** 31 - 1;
  return FULL;
}
