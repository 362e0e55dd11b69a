/** A kernel's expressions made ready for a machine: few kinds of node, no two alike. */
import { expand } from "../math/index.ts";
import { input, operands, Value, type IndexAxis, type Node, type StorageType } from "../program.ts";
import type { Access } from "../signature.ts";
import { Keys } from "./expression-keys.ts";
import { accessOf, boundOf, dependenceOf, storageOf } from "./expression-leaves.ts";
import type { Dependence, Leaves } from "./expression-leaves.ts";
import { Ranges } from "./expression-range.ts";
import { fuseFloor, simplify } from "./expression-simplify.ts";
import { decode, rawType } from "./expression-storage.ts";

/**
 * The expressions of one kernel. {@link Graph.lower} rewrites a Value so that transcendental functions are replaced
 * by their expansions, narrow floats by the integer arithmetic that decodes them, costly operations by cheaper ones,
 * and equal expressions by one and the same Value. Inputs, stored values and table entries of a lowered graph are raw
 * bits.
 */
export class Graph {
  readonly ranges: Ranges;
  private readonly leaves: Leaves;
  private readonly keys = new Keys();
  private readonly interned = new Map<string, Value>();
  private readonly lowered = new Map<Value, Value>();
  private readonly dependences = new Map<Value, Dependence>();
  private readonly useCounts = new Map<Value, number>();

  constructor(leaves: Leaves) {
    this.leaves = leaves;
    this.ranges = new Ranges((value) => boundOf(leaves, value));
  }

  /** The lowered form of a value; lowering it again changes nothing. */
  lower(value: Value): Value {
    const known = this.lowered.get(value);
    if (known) return known;
    const result = this.rewrite(value);
    this.lowered.set(value, result);
    this.lowered.set(result, result);
    return result;
  }

  /** Says that a lowered value is used as a result, so that shared results are computed once. */
  use(value: Value): void {
    const uses = this.uses(value);
    this.useCounts.set(value, uses + 1);
    if (uses === 0) for (const operand of operands(value)) this.use(operand);
  }

  /** How many results and operations use a lowered value. */
  uses(value: Value): number {
    return this.useCounts.get(value) ?? 0;
  }

  /** Where a lowered value changes. */
  dependence(value: Value): Dependence {
    const known = this.dependences.get(value);
    if (known !== undefined) return known;
    const own = dependenceOf(this.leaves, value.node);
    const result = operands(value).reduce((set, operand) => set | this.dependence(operand), own);
    this.dependences.set(value, result);
    return result;
  }

  /** Storage of an input, a stored value or a table. */
  storage(node: Node): StorageType {
    return storageOf(this.leaves, node);
  }

  access(name: string): Access {
    return accessOf(this.leaves, name);
  }

  private rewrite(value: Value): Value {
    const { node } = value;
    switch (node.kind) {
      case "input":
        return this.rewriteRaw(this.gatheredEntry(node) ?? node);
      case "stored":
        return this.rewriteRaw(node);
      case "lookup":
        return this.rewriteRaw({ ...node, at: this.lower(node.at) });
      case "reduced": {
        const { reductionOf } = this.leaves;
        return reductionOf ? this.lower(reductionOf(node.name)) : this.intern(value.type, node);
      }
      case "index":
        return this.intern(value.type, this.leaves.singleColumn ? flatIndex(node.axis) : node);
      default:
        return this.rewriteOperation(value);
    }
  }

  private rewriteOperation(value: Value): Value {
    const fused = this.leaves.wide ? fuseFloor(value) : value;
    if (fused !== value) return this.lower(fused);
    const operation = this.intern(value.type, this.withLoweredOperands(value.node));
    const better = simplify(expand(operation), this.ranges, this.leaves.wide === true);
    if (better === operation) return operation;
    return this.lower(better);
  }

  private withLoweredOperands(node: Node): Node {
    const lower = (value: Value) => this.lower(value);
    switch (node.kind) {
      case "unary":
      case "shift":
        return { ...node, x: lower(node.x) };
      case "binary":
        return { ...node, a: lower(node.a), b: lower(node.b) };
      case "fma":
        return { ...node, a: lower(node.a), b: lower(node.b), c: lower(node.c) };
      case "select":
        return { ...node, condition: lower(node.condition), yes: lower(node.yes), no: lower(node.no) };
      default:
        return node;
    }
  }

  /** A leaf read from memory becomes its raw bits and the arithmetic that decodes them. */
  private rewriteRaw(node: Node): Value {
    const storage = this.storage(node);
    const raw = this.intern(rawType[storage], node);
    this.lowered.set(raw, raw);
    const decoded = decode(storage, raw);
    return decoded === raw ? raw : this.lower(decoded);
  }

  /** In a matrix of one column, element index[r] of a `gathered` input. */
  private gatheredEntry(node: Node & { kind: "input" }): Node | null {
    if (!this.leaves.singleColumn || this.access(node.name) !== "gathered") return null;
    return { kind: "lookup", table: node.name, at: this.lower(input("index", "i32")) };
  }

  private intern(type: Value["type"], node: Node): Value {
    const key = this.keys.of(type, node);
    const known = this.interned.get(key);
    if (known) return known;
    const value = new Value(type, node);
    this.interned.set(key, value);
    return value;
  }
}

/** The number of a row or column where there is one column. */
const flatIndex = (axis: IndexAxis): Node =>
  axis === "column" ? { kind: "constant", value: 0 } : { kind: "index", axis: "element" };
