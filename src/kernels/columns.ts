/** The `columns` shape: reduce over the rows of each outer block. Bias and gain gradients, scales. */
import type { Value } from "./program.ts";
import { reduced } from "./program.ts";
import type { ReduceOp } from "./rows.ts";
import { scopeOf, type Inputs, type Outputs, type Scope, type Uniforms } from "./signature.ts";

/**
 *   reduced[o, c] = Σᵣ (or maxᵣ, minᵣ) value(o, r, c)
 *   out[o, c] = g(reductions, `column`, `block` and `scalar` inputs, uniforms)
 *
 * Sizes: `rows`, `columns`, optional `outer` (default 1; `index("row")` counts within one outer block). Rows are added in ascending order, so results do not depend on threads.
 */
export interface ColumnsKernel {
  readonly shape: "columns";
  readonly name: string;
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  readonly reduce: Readonly<Record<string, { readonly op: ReduceOp; readonly value: Value }>>;
  readonly outputs: Outputs;
}

/**
 * Describes a columns kernel.
 *
 * @example
 *   const biasGradient = columns("bias gradient", { dy: element("f32") }, {},
 *     ({ dy }) => ({ sum: { op: "sum", value: dy } }), (_, { sum }) => ({ db: output("f32", sum) }));
 */
export function columns<I extends Inputs, U extends Uniforms, R extends string>(
  name: string,
  inputs: I,
  uniforms: U,
  reduce: (scope: Scope<I, U>) => Record<R, { op: ReduceOp; value: Value }>,
  finish: (scope: Scope<I, U>, reductions: Record<R, Value>) => Outputs,
): ColumnsKernel {
  const scope = scopeOf(inputs, uniforms);
  const reductions = reduce(scope);
  const results = Object.fromEntries(Object.keys(reductions).map((key) => [key, reduced(key)]));
  const outputs = finish(scope, results as Record<R, Value>);
  return { shape: "columns", name, inputs, uniforms, reduce: reductions, outputs };
}
