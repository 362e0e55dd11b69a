/** Reductions of one pass: their start values, how an element is taken in, and where the result is read. */
import { ProgramError, type Value } from "../program.ts";
import type { ReduceOp } from "../rows.ts";
import { binaryFunction, type Binary, type Precision } from "./arithmetic.ts";
import type { Binding } from "./binding.ts";
import type { Graph } from "./graph.ts";

const START: Readonly<Record<ReduceOp, number>> = { sum: 0, max: -Infinity, min: Infinity };

/** A set of reductions over the same elements. */
export class Reductions {
  private readonly graph: Graph;
  private readonly cells: readonly { value: number }[];
  private readonly starts: readonly number[];
  private readonly totals: Float64Array;
  private readonly combine: readonly Binary[];

  constructor(
    binding: Binding,
    kernel: string,
    reduce: Readonly<Record<string, { readonly op: ReduceOp; readonly value: Value }>>,
  ) {
    const entries = Object.entries(reduce);
    for (const [name, { value }] of entries)
      if (value.type !== "f32")
        throw new ProgramError(`kernel "${kernel}": reduction "${name}" of ${value.type}, wants f32`);
    this.graph = binding.graph(entries.map(([, { value }]) => value));
    this.starts = entries.map(([, { op }]) => START[op]);
    this.combine = entries.map(([, { op }]) => combiner(op, binding.precision));
    this.totals = new Float64Array(entries.length);
    this.cells = entries.map(([name]) => binding.reduction(name));
  }

  start(): void {
    this.totals.set(this.starts);
  }

  /** Computes this element's terms, before anything it reads is overwritten. */
  evaluate(): void {
    this.graph.evaluate();
  }

  /** Takes the terms in. */
  take(): void {
    for (let i = 0; i < this.totals.length; i++)
      this.totals[i] = this.combine[i](this.totals[i], this.graph.result(i));
  }

  /** Shows the results to the graphs of later passes. */
  finish(): void {
    for (let i = 0; i < this.totals.length; i++) this.cells[i].value = this.totals[i];
  }
}

const combiner = (op: ReduceOp, precision: Precision): Binary =>
  binaryFunction(op === "sum" ? "add" : op, "f32", precision);
