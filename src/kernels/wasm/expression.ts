/** Writes expressions as SIMD code: a lowered {@link Graph} Value becomes instructions on four lanes. */
import { operands, type Node, type Table, type Value, type ValueType } from "../program.ts";
import type { Local } from "./assembler.ts";
import { bitsOf } from "./constants.ts";
import { countedBy } from "./index-lanes.ts";
import type { Graph } from "./expression-graph.ts";
import { binaryInstruction, unaryInstruction } from "./expression-instructions.ts";
import { ROW } from "./expression-leaves.ts";
import { comparesAsSigned } from "./expression-simplify.ts";
import { pushSplat, pushUniform, pushWord, type Frame } from "./frame.ts";
import { reachable } from "./pass.ts";
import { pushEntries, pushEntriesOf, type TableBase } from "./tables.ts";

/** How far out of the loops over rows and columns a value can be computed. */
export type Level = 0 | 1 | 2;

/** Four elements that are being computed. */
export interface Lanes {
  /** Where values of these lanes are, as far as they are computed. */
  readonly done: Map<Value, Local>;
  /** Which of several vectors in flight this is: each has its own locals. */
  readonly slot: number;
  /** Lanes that exist, where not all four do: the others must not look anything up. */
  readonly mask: Local | null;
  /** Pushes a leaf that changes from column to column. */
  pushLeaf(value: Value): void;
  /** Pushes the entries of a look-up where they were looked up before. @returns whether they were. */
  pushEntries(value: Value): boolean;
  /** Pushes lane `lane` of an input as an i32, from memory. */
  pushElement(value: Value, lane: number): void;
}

/** Where the current row's number lies, and the number of rows in an outer block if there can be several. */
export interface RowNumber {
  readonly row: Local;
  readonly block: Local | null;
}

/**
 * Writes values of one graph into one function. Values that do not change in a loop are computed before it
 * ({@link Emitter.hoist}) and held in locals; a value used more than once is computed once.
 */
export class Emitter {
  readonly frame: Frame;
  readonly graph: Graph;
  rowNumber: RowNumber | null = null;
  private readonly held = new Map<Value, Local>();
  private readonly locals: Map<Value, Local>[] = [];
  private readonly tables = new Map<string | Table, TableBase>();

  constructor(frame: Frame, graph: Graph) {
    this.frame = frame;
    this.graph = graph;
  }

  /** 0: the same everywhere; 1: changes from row to row; 2: from column to column. */
  level(value: Value): Level {
    const dependence = this.graph.dependence(value);
    return dependence === 0 ? 0 : dependence === ROW ? 1 : 2;
  }

  /** Computes everything up to `level` that `roots` need inside deeper loops. */
  hoist(roots: readonly Value[], level: 0 | 1): void {
    if (level === 0) for (const { node } of reachable(roots)) this.openTable(node);
    const seen = new Set<Value>();
    const visit = (value: Value) => {
      if (seen.has(value)) return;
      seen.add(value);
      if (this.level(value) <= level) this.hold(value);
      else operands(value).forEach(visit);
    };
    roots.forEach(visit);
  }

  /** Computes a value that is the same in all columns and keeps it. */
  hold(value: Value): Local {
    const known = this.held.get(value);
    if (known) return known;
    this.push(value, null);
    return this.holdPushed(value);
  }

  /** Keeps what lies on the stack as a value that is the same in all columns. */
  holdPushed(value: Value): Local {
    const { code, target } = this.frame;
    // Taken apart and spread again, so that V8, fusing what uses it, does not follow it further up.
    if (target.revectorize && !isLeaf(value)) code.lane("f32x4.extract_lane", 0).op("f32x4.splat");
    const local = this.held.get(value) ?? code.local("v128");
    code.set(local);
    this.held.set(value, local);
    return local;
  }

  /** Pushes a value; without lanes, one that is the same in all columns. */
  push(value: Value, lanes: Lanes | null): void {
    const { code } = this.frame;
    const known = this.held.get(value) ?? lanes?.done.get(value);
    if (known) {
      code.get(known);
      return;
    }
    this.compute(value, lanes);
    if (this.graph.uses(value) > 1) code.tee(this.keep(value, lanes));
  }

  /**
   * Computes a value for several vectors, operation by operation in turn: their chains of dependent instructions then
   * overlap, where one vector after another would fill the processor's window with a single chain.
   *
   * @param between what to do after each operation.
   */
  interleave(value: Value, vectors: readonly Lanes[], between?: () => void): void {
    if (this.held.has(value) || vectors.every(({ done }) => done.has(value))) return;
    if (!countedBy(value)) for (const operand of operands(value)) this.interleave(operand, vectors, between);
    if (operands(value).length === 0 && this.graph.uses(value) === 1) return;
    for (const lanes of vectors) {
      this.compute(value, lanes);
      this.frame.code.set(this.keep(value, lanes));
    }
    between?.();
  }

  private keep(value: Value, lanes: Lanes | null): Local {
    if (!lanes) {
      const local = this.frame.code.local("v128");
      this.held.set(value, local);
      return local;
    }
    const locals = (this.locals[lanes.slot] ??= new Map<Value, Local>());
    let local = locals.get(value);
    if (!local) locals.set(value, (local = this.frame.code.local("v128")));
    lanes.done.set(value, local);
    return local;
  }

  private compute(value: Value, lanes: Lanes | null): void {
    const { node } = value;
    const { code } = this.frame;
    switch (node.kind) {
      case "unary":
        return this.unary(node.op, node.x, lanes);
      case "binary":
        if (lanes && countedBy(value)) return lanes.pushLeaf(value);
        this.push(node.a, lanes);
        this.push(node.b, lanes);
        code.op(binaryInstruction(node.op, this.operandType(node)));
        return;
      case "shift":
        this.push(node.x, lanes);
        code.i32(node.by);
        code.op(node.op === "shl" ? "i32x4.shl" : value.type === "i32" ? "i32x4.shr_s" : "i32x4.shr_u");
        return;
      case "fma":
        return this.fma(node, lanes);
      case "select":
        return this.select(node, lanes);
      case "lookup":
        if (!lanes?.pushEntries(value)) this.lookup(node, lanes);
        return;
      case "constant":
        pushSplat(this.frame, constantBits(value));
        return;
      case "uniform":
        pushUniform(this.frame, node.name);
        return;
      default:
        return this.leaf(value, lanes);
    }
  }

  private fma(node: Node & { kind: "fma" }, lanes: Lanes | null): void {
    for (const operand of [node.a, node.b]) this.push(operand, lanes);
    if (!this.frame.target.relaxedSimd) this.frame.code.op("f32x4.mul");
    this.push(node.c, lanes);
    this.frame.code.op(this.frame.target.relaxedSimd ? "f32x4.relaxed_madd" : "f32x4.add");
  }

  private unary(op: string, x: Value, lanes: Lanes | null): void {
    this.push(x, lanes);
    const instruction = unaryInstruction(op, x.type);
    if (instruction === undefined) throw new TypeError(`logrung: no instruction for ${op} of ${x.type}`);
    if (instruction) this.frame.code.op(instruction);
  }

  /** Small unsigned numbers compare as signed ones: one instruction instead of two or three. */
  private operandType(node: Node & { kind: "binary" }): ValueType {
    return comparesAsSigned(node, this.graph.ranges) ? "i32" : node.a.type;
  }

  private select({ condition, yes, no }: Node & { kind: "select" }, lanes: Lanes | null): void {
    const { code } = this.frame;
    if (isZero(yes) || isZero(no)) {
      this.push(isZero(no) ? yes : no, lanes);
      this.push(condition, lanes);
      code.op(isZero(no) ? "v128.and" : "v128.andnot");
      return;
    }
    for (const value of [yes, no, condition]) this.push(value, lanes);
    code.op("v128.bitselect");
  }

  private lookup(node: Node & { kind: "lookup" }, lanes: Lanes | null): void {
    const { code } = this.frame;
    const base = this.table(node.table);
    const storage = this.graph.storage(node);
    if (lanes && !lanes.mask && this.isUnsignedElement(node.at)) {
      pushEntriesOf(code, storage, base, (lane) => lanes.pushElement(node.at, lane));
      return;
    }
    this.push(node.at, lanes);
    pushEntries(code, storage, base, lanes?.mask ?? null);
  }

  private table(table: string | Table): TableBase {
    const base = this.tables.get(table);
    if (!base) throw new RangeError("logrung: a table was not opened before its use");
    return base;
  }

  /** Where a table's first entry lies. */
  tableAddress(table: string | Table): Local {
    return this.table(table).address;
  }

  /** Whether a value is an element that lies in memory as an unsigned number. */
  isUnsignedElement(value: Value): boolean {
    if (value.node.kind !== "input" || this.level(value) !== 2) return false;
    return value.type === "u32";
  }

  /** Finds a table's address. */
  private openTable(node: Node): void {
    if (node.kind !== "lookup" || this.tables.has(node.table)) return;
    const { code, constants, pool } = this.frame;
    const base = { address: code.local("i32"), lanes: code.local("v128") };
    if (typeof node.table === "string") pushWord(this.frame, `input:${node.table}`);
    else code.get(constants).i32(pool.table(node.table)).op("i32.add");
    code.tee(base.address).op("i32x4.splat").set(base.lanes);
    this.tables.set(node.table, base);
  }

  private leaf(value: Value, lanes: Lanes | null): void {
    const { node } = value;
    if (lanes && this.level(value) === 2) return lanes.pushLeaf(value);
    if (node.kind === "input") this.pushScalar(node.name);
    else if (node.kind === "index" && node.axis === "row") this.pushRowIndex();
    else throw new RangeError(`logrung: a value of kind ${node.kind} cannot be read here`);
  }

  /** Element 0, or the current row's, in all four lanes. */
  private pushScalar(name: string): void {
    const { code } = this.frame;
    const storage = this.graph.storage({ kind: "input", name });
    pushWord(this.frame, `input:${name}`);
    const bytes = storage === "u8" || storage === "i8" ? 1 : storage.endsWith("16") ? 2 : 4;
    if (this.graph.access(name) === "row") {
      code.get(this.row().row);
      if (bytes > 1) code.i32(Math.log2(bytes)).op("i32.shl");
      code.op("i32.add");
    }
    if (bytes === 4) code.memory("v128.load32_splat");
    else {
      code.memory(bytes === 2 ? "i32.load16_u" : storage === "i8" ? "i32.load8_s" : "i32.load8_u");
      code.op("i32x4.splat");
    }
  }

  private pushRowIndex(): void {
    const { row, block } = this.row();
    this.frame.code.get(row);
    if (block) this.frame.code.get(block).op("i32.rem_u");
    this.frame.code.op("i32x4.splat");
  }

  private row(): RowNumber {
    if (!this.rowNumber) throw new RangeError("logrung: this kernel shape has no current row");
    return this.rowNumber;
  }
}

function constantBits({ type, node }: Value): number {
  const value = node.kind === "constant" ? node.value : 0;
  if (type === "f32") return bitsOf(value);
  return type === "bool" ? -value : value | 0;
}

/** Whether a value is loaded as four times the same. */
const isLeaf = ({ node }: Value): boolean =>
  node.kind === "constant" || node.kind === "uniform" || node.kind === "input";

/** Whether all bits of a value are known to be 0. */
const isZero = ({ node }: Value): boolean => node.kind === "constant" && Object.is(node.value, 0);
