/** A set of Values compiled to a list of steps over registers: each node is computed once an element. */
import {
  operands, ProgramError, Table, type IndexAxis, type Node, type StorageType, type Value,
} from "../program.ts"; // prettier-ignore
import type { Access, Inputs } from "../signature.ts";
import { binaryFunction, fusedMultiplyAdd, unaryFunction, wrap, type Precision } from "./arithmetic.ts";
import type { View } from "./memory.ts";

/** Where a run stands, and what its names are bound to. One a kernel; its graphs read it. */
export class Frame {
  /** r · columns + c, or the place in C of a gemm. */
  element = 0;
  /** Row counted through all outer blocks. */
  flatRow = 0;
  row = 0;
  column = 0;
  /** Number of the outer block · columns + column. */
  block = 0;
  /** Element of a `gathered` input. */
  gathered = 0;
  product = 0;
  readonly views = new Map<string, { view: View }>();
  readonly uniforms = new Map<string, { value: number }>();
  readonly reductions = new Map<string, { value: number }>();
}

/** What a graph's names mean: declared inputs, and outputs of earlier stages. */
export interface Signature {
  readonly kernel: string;
  readonly inputs: Inputs;
  readonly uniforms: Readonly<Record<string, "f32" | "i32" | "u32">>;
  readonly stored: ReadonlyMap<string, StorageType>;
}

type Step = () => void;

/** Several values, computed together. */
export class Graph {
  private readonly frame: Frame;
  private readonly signature: Signature;
  private readonly precision: Precision;
  private readonly registers: Float64Array;
  private readonly places = new Map<Value, number>();
  private readonly steps: Step[] = [];
  private readonly roots: readonly number[];

  constructor(values: readonly Value[], frame: Frame, signature: Signature, precision: Precision) {
    this.frame = frame;
    this.signature = signature;
    this.precision = precision;
    for (const value of inOrder(values)) this.places.set(value, this.places.size);
    this.registers = new Float64Array(this.places.size);
    for (const value of this.places.keys()) this.emit(value);
    this.roots = values.map((value) => this.place(value));
  }

  /** Computes every value at the frame's position. */
  evaluate(): void {
    for (const step of this.steps) step();
  }

  /** The `nth` value of the last evaluation. */
  result(nth: number): number {
    return this.registers[this.roots[nth]];
  }

  private place(value: Value): number {
    return this.places.get(value) ?? -1;
  }

  private emit(value: Value): void {
    const { registers } = this;
    const to = this.place(value);
    if (value.node.kind === "constant") {
      registers[to] = value.node.value;
      return;
    }
    const leaf = this.leaf(value.node);
    const step = leaf
      ? () => {
          registers[to] = leaf();
        }
      : this.operation(value, to);
    this.steps.push(step);
  }

  /** A node that reads the frame; null for one that computes. */
  private leaf(node: Node): (() => number) | null {
    const { frame } = this;
    switch (node.kind) {
      case "uniform": {
        const cell = this.cell(frame.uniforms, node.name, "uniform", { value: 0 });
        return () => cell.value;
      }
      case "reduced": {
        const cell = frame.reductions.get(node.name);
        if (!cell) throw this.unknown("reduction", node.name);
        return () => cell.value;
      }
      case "stored": {
        if (!this.signature.stored.has(node.name)) throw this.unknown("stored output", node.name);
        const cell = this.viewOf(`stored ${node.name}`);
        return () => cell.view.load(frame.element);
      }
      case "product":
        return () => frame.product;
      case "index":
        return this.position(node.axis);
      case "input":
        return this.input(node.name);
      default:
        return null;
    }
  }

  private position(axis: IndexAxis): () => number {
    const { frame } = this;
    if (axis === "row") return () => frame.row;
    if (axis === "column") return () => frame.column;
    return () => frame.element;
  }

  private input(name: string): () => number {
    const { frame } = this;
    const declared = this.signature.inputs[name];
    if (!declared) throw this.unknown("input", name);
    const cell = this.viewOf(name);
    const at: Record<Access, () => number> = {
      element: () => cell.view.load(frame.element),
      row: () => cell.view.load(frame.flatRow),
      column: () => cell.view.load(frame.column),
      block: () => cell.view.load(frame.block),
      scalar: () => cell.view.load(0),
      gathered: () => entry(cell.view, frame.gathered, name),
      table: () => {
        throw new ProgramError(`kernel "${this.signature.kernel}": table "${name}" is read with lookup only`);
      },
    };
    return at[declared.access];
  }

  private operation({ type, node }: Value, to: number): Step {
    const { registers: r, precision } = this;
    switch (node.kind) {
      case "unary": {
        const f = unaryFunction(node.op, node.x.type, precision);
        const x = this.place(node.x);
        return () => {
          r[to] = f(r[x]);
        };
      }
      case "binary": {
        const f = binaryFunction(node.op, node.a.type, precision);
        const [a, b] = [this.place(node.a), this.place(node.b)];
        return () => {
          r[to] = f(r[a], r[b]);
        };
      }
      case "shift": {
        const back = wrap(type, precision);
        const [x, by] = [this.place(node.x), node.by];
        if (node.op === "shl") return () => (r[to] = back(r[x] << by));
        return type === "i32" ? () => (r[to] = r[x] >> by) : () => (r[to] = r[x] >>> by);
      }
      case "fma": {
        const f = fusedMultiplyAdd(precision);
        const [a, b, c] = [this.place(node.a), this.place(node.b), this.place(node.c)];
        return () => {
          r[to] = f(r[a], r[b], r[c]);
        };
      }
      case "select": {
        const [condition, yes, no] = [this.place(node.condition), this.place(node.yes), this.place(node.no)];
        return () => {
          r[to] = r[condition] === 0 ? r[no] : r[yes];
        };
      }
      case "lookup":
        return this.lookup(node.table, this.place(node.at), to);
      default:
        throw this.unknown("node", node.kind);
    }
  }

  private lookup(table: string | Table, at: number, to: number): Step {
    const r = this.registers;
    const name = typeof table === "string" ? table : "constant";
    if (typeof table === "string" && !this.signature.inputs[table]) throw this.unknown("table", table);
    const cell = typeof table === "string" ? this.viewOf(table) : { view: constantView(table) };
    return () => {
      r[to] = entry(cell.view, r[at], name);
    };
  }

  private viewOf(name: string): { view: View } {
    let cell = this.frame.views.get(name);
    if (!cell) this.frame.views.set(name, (cell = { view: UNBOUND }));
    return cell;
  }

  private cell<T>(cells: Map<string, T>, name: string, role: "uniform", fresh: T): T {
    if (!this.signature.uniforms[name]) throw this.unknown(role, name);
    const cell = cells.get(name) ?? fresh;
    cells.set(name, cell);
    return cell;
  }

  private unknown(role: string, name: string): ProgramError {
    return new ProgramError(`kernel "${this.signature.kernel}": no ${role} "${name}" here`);
  }
}

const UNBOUND: View = { length: 0, load: () => NaN, store: () => undefined };

const constantView = ({ data }: Table): View => ({
  length: data.length,
  load: (at) => data[at],
  store: () => undefined,
});

function entry(view: View, at: number, name: string): number {
  if (!(at >= 0 && at < view.length))
    throw new RangeError(`logrung: entry ${at} of "${name}", which holds ${view.length}`);
  return view.load(at);
}

/** All nodes below `values`, operands before what uses them. Iterative: unrolled programs can be deep. */
function inOrder(values: readonly Value[]): Set<Value> {
  const done = new Set<Value>();
  const stack = values.toReversed();
  while (stack.length > 0) {
    const value = stack[stack.length - 1];
    const open = done.has(value) ? [] : operands(value).filter((x) => !done.has(x));
    if (open.length > 0) stack.push(...open.toReversed());
    else done.add(stack.pop() as Value);
  }
  return done;
}
