/** The `rows` shape: per row, stages of reduce and map. Softmax, layer norm, cross entropy, block scales. */
import { reduced, stored, type Value } from "./program.ts";
import { scopeOf, type Inputs, type Output, type Outputs, type Scope, type Uniforms } from "./signature.ts";

export type ReduceOp = "sum" | "max" | "min";

/**
 * One pass over a row. `store` writes element outputs (readable in later stages), `reduce` makes per-row numbers
 * (usable in later stages). Both may read this stage's inputs; `reduce` may use the values being stored.
 */
export interface Stage {
  readonly store?: Outputs;
  readonly reduce?: Readonly<Record<string, { readonly op: ReduceOp; readonly value: Value }>>;
}

/**
 *   for each row: stage₁ … stageₙ over its columns; then each `perRow` output once.
 *
 * Sizes: `rows`, `columns`, optional `outer` (default 1; `index("row")` counts within one outer block).
 * Reductions are f32 in an order of the backend's choice that depends on `columns` alone; sum of none is 0,
 * max of none -Infinity, min of none +Infinity. NaN in a sum stays; in max and min it is unspecified.
 */
export interface RowsKernel {
  readonly shape: "rows";
  readonly name: string;
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  readonly stages: readonly Stage[];
  /** Written once a row: functions of reductions, uniforms and `row` or `scalar` inputs. */
  readonly perRow: Outputs;
}

/** Makes the stages of a {@link RowsKernel}, in order. */
export class RowProgram<S> {
  readonly scope: S;
  readonly stages: Stage[] = [];
  readonly perRow: Record<string, Output> = {};
  constructor(scope: S) {
    this.scope = scope;
  }
  /** A reduction over the row, in a stage of its own. */
  reduce(name: string, op: ReduceOp, value: Value): Value {
    this.stages.push({ reduce: { [name]: { op, value } } });
    return reduced(name);
  }
  /** Several reductions in one pass. */
  reduceAll<K extends string>(reductions: Record<K, { op: ReduceOp; value: Value }>): Record<K, Value> {
    this.stages.push({ reduce: reductions });
    return Object.fromEntries(Object.keys(reductions).map((name) => [name, reduced(name)])) as Record<
      K,
      Value
    >;
  }
  /** Stores an element output and reduces it in the same pass; returns [what was stored, the reduction]. */
  storeAndReduce(name: string, value: Output, reduction: string, op: ReduceOp): [Value, Value] {
    this.stages.push({ store: { [name]: value }, reduce: { [reduction]: { op, value: value.value } } });
    return [stored(name, value.storage), reduced(reduction)];
  }
  store(outputs: Outputs): void {
    this.stages.push({ store: outputs });
  }
}

/**
 * Describes a rows kernel.
 *
 * @example
 *   const softmax = rows("softmax", { x: element("f32") }, {}, (p) => {
 *     const top = p.reduce("top", "max", p.scope.x);
 *     const [e, sum] = p.storeAndReduce("y", output("f32", p.scope.x.sub(top).exp()), "sum", "sum");
 *     p.store({ y: output("f32", e.div(sum)) });
 *   });
 */
export function rows<I extends Inputs, U extends Uniforms>(
  name: string,
  inputs: I,
  uniforms: U,
  body: (program: RowProgram<Scope<I, U>>) => void,
): RowsKernel {
  const program = new RowProgram(scopeOf(inputs, uniforms));
  body(program);
  return { shape: "rows", name, inputs, uniforms, stages: program.stages, perRow: program.perRow };
}
