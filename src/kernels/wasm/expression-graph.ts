/** A kernel's expressions made ready for a machine: few kinds of node, no two alike. */
import { expand } from "../math/index.ts";
import { input, operands, ProgramError, storageBytes, Value } from "../program.ts";
import type { IndexAxis, Node, StorageType } from "../program.ts";
import { bitsOf } from "./constants.ts";
import type { Access, Inputs } from "../signature.ts";
import { Ranges } from "./expression-range.ts";
import { decode, rawType } from "./expression-storage.ts";

/** In which directions of a [rows, columns] view a value changes: a set of bits. */
export type Dependence = number;
export const ROW = 1;
export const COLUMN = 2;

/** What the leaves of a kernel's expressions are. */
export interface Leaves {
  readonly inputs: Inputs;
  /** Element outputs that are read back. */
  readonly stored: Readonly<Record<string, StorageType>>;
  /** What a finished reduction is read as. Default: a value of its own, the same along a row. */
  readonly reductionOf?: (name: string) => Value;
  /**
   * Reads a matrix of one column as a flat array: what changes from row to row changes from element to element, a
   * `gathered` input is looked up, and columns have the number 0. Default false.
   */
  readonly singleColumn?: boolean;
}

const ACCESS: Readonly<Record<Access, Dependence>> = {
  element: ROW | COLUMN,
  gathered: ROW | COLUMN,
  row: ROW,
  column: COLUMN,
  scalar: 0,
  table: 0,
};

/**
 * The expressions of one kernel. {@link Graph.lower} rewrites a Value so that transcendental functions are replaced
 * by their expansions, narrow floats by the integer arithmetic that decodes them, and equal expressions by one and
 * the same Value. Inputs, stored values and table entries of a lowered graph are raw bits.
 */
export class Graph {
  readonly ranges: Ranges;
  private readonly leaves: Leaves;
  private readonly interned = new Map<string, Value>();
  private readonly ids = new Map<object, number>();
  private readonly lowered = new Map<Value, Value>();
  private readonly dependences = new Map<Value, Dependence>();
  private readonly useCounts = new Map<Value, number>();

  constructor(leaves: Leaves) {
    this.leaves = leaves;
    this.ranges = new Ranges((value) => this.leafBound(value));
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
    const own = this.leafDependence(value.node);
    const result = operands(value).reduce((set, operand) => set | this.dependence(operand), own);
    this.dependences.set(value, result);
    return result;
  }

  /** Storage of an input, a stored value or a table. @throws ProgramError for a name the kernel lacks. */
  storage(node: Node): StorageType {
    if (node.kind === "lookup" && typeof node.table !== "string") return node.table.storage;
    if (node.kind === "input") return this.declared(node.name).storage;
    if (node.kind === "lookup") return this.declared(node.table as string).storage;
    const storage = node.kind === "stored" ? this.leaves.stored[node.name] : undefined;
    if (!storage) throw new ProgramError(`${node.kind} value is not stored by an earlier stage`);
    return storage;
  }

  /** Access of an input. @throws ProgramError for a name the kernel lacks. */
  access(name: string): Access {
    return this.declared(name).access;
  }

  private accessDependence(access: Access): Dependence {
    const own = ACCESS[access];
    if (!this.leaves.singleColumn) return own;
    return own & ROW ? ROW | COLUMN : 0;
  }

  private declared(name: string): { storage: StorageType; access: Access } {
    const found = this.leaves.inputs[name];
    if (!found) throw new ProgramError(`the kernel has no input "${name}"`);
    return found;
  }

  private rewrite(value: Value): Value {
    const { node } = value;
    switch (node.kind) {
      case "input":
        return this.rewriteRaw(this.gatheredEntry(node) ?? node);
      case "stored":
        return this.rewriteRaw(node);
      case "reduced":
        return this.reduction(value, node.name);
      case "index":
        return this.intern(value.type, this.leaves.singleColumn ? flatIndex(node.axis) : node);
      case "lookup":
        return this.rewriteRaw({ ...node, at: this.lower(node.at) });
      case "unary":
        return this.rewriteUnary(value, node);
      case "binary":
        return this.intern(value.type, { ...node, a: this.lower(node.a), b: this.lower(node.b) });
      case "shift":
        return this.intern(value.type, { ...node, x: this.lower(node.x) });
      case "fma":
        return this.intern(value.type, {
          ...node,
          a: this.lower(node.a),
          b: this.lower(node.b),
          c: this.lower(node.c),
        });
      case "select":
        return this.intern(value.type, {
          ...node,
          condition: this.lower(node.condition),
          yes: this.lower(node.yes),
          no: this.lower(node.no),
        });
      default:
        return this.intern(value.type, node);
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

  private reduction(value: Value, name: string): Value {
    const { reductionOf } = this.leaves;
    return reductionOf ? this.lower(reductionOf(name)) : this.intern(value.type, value.node);
  }

  private rewriteUnary(value: Value, node: Node & { kind: "unary" }): Value {
    const x = this.lower(node.x);
    if (node.op.startsWith("as") && x.type === value.type) return x;
    const result = this.intern(value.type, { ...node, x });
    const expanded = expand(result);
    return expanded === result ? result : this.lower(expanded);
  }

  private intern(type: Value["type"], node: Node): Value {
    const key = `${type} ${this.key(node)}`;
    const known = this.interned.get(key);
    if (known) return known;
    const value = new Value(type, node);
    this.interned.set(key, value);
    return value;
  }

  private key(node: Node): string {
    const id = (x: object) => this.id(x);
    switch (node.kind) {
      case "constant":
        return `constant ${bitsOf(node.value)} ${Number.isNaN(node.value) ? "NaN" : node.value}`;
      case "uniform":
      case "input":
      case "stored":
      case "reduced":
        return `${node.kind} ${node.name}`;
      case "product":
        return "product";
      case "index":
        return `index ${node.axis}`;
      case "lookup":
        return `lookup ${typeof node.table === "string" ? node.table : id(node.table)} ${id(node.at)}`;
      case "unary":
        return `${node.op} ${id(node.x)}`;
      case "binary":
        return `${node.op} ${id(node.a)} ${id(node.b)}`;
      case "shift":
        return `${node.op} ${id(node.x)} by ${node.by}`;
      case "fma":
        return `fma ${id(node.a)} ${id(node.b)} ${id(node.c)}`;
      case "select":
        return `select ${id(node.condition)} ${id(node.yes)} ${id(node.no)}`;
    }
  }

  private id(thing: object): number {
    const known = this.ids.get(thing);
    if (known !== undefined) return known;
    this.ids.set(thing, this.ids.size);
    return this.ids.size - 1;
  }

  private leafDependence(node: Node): Dependence {
    switch (node.kind) {
      case "input":
        return this.accessDependence(this.access(node.name));
      case "stored":
      case "product":
        return ROW | COLUMN;
      case "reduced":
        return ROW;
      case "index":
        return node.axis === "row" ? ROW : node.axis === "column" ? COLUMN : ROW | COLUMN;
      default:
        return 0;
    }
  }

  private leafBound(value: Value): number {
    const storage = this.storage(value.node);
    const unsigned = storage !== "i8" && storage !== "i32";
    return unsigned ? 2 ** (8 * storageBytes[storage]) - 1 : 2 ** 32 - 1;
  }
}

/** The number of a row or column where there is one column. */
const flatIndex = (axis: IndexAxis): Node =>
  axis === "column" ? { kind: "constant", value: 0 } : { kind: "index", axis: "element" };
