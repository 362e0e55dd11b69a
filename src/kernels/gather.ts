/** The `gather` shape: move or accumulate whole rows by an index map. Embeddings, permutations, patches. */
import { scopeOf, type Inputs, type Output, type Scope, type Uniforms } from "./signature.ts";

/**
 *   gather:      out[r, c]        = value(r, c), where a `gathered` input reads row index[r]
 *   accumulate:  out[index[r], c] += value(r, c), in ascending r; `out` is f32 and keeps what it held
 *
 * Sizes: `rows` (length of `index`), `columns`. The implicit input `index` is i32, one per row; the caller keeps
 * every index inside the table it points into. The output is called `out`.
 */
export interface GatherKernel {
  readonly shape: "gather";
  readonly name: string;
  readonly mode: "gather" | "accumulate";
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  readonly out: Output;
}

/**
 * Describes a gather kernel.
 *
 * @example const rowsOf = gather("rows of", "gather", { source: gathered("f32") }, {}, ({ source }) => output("f32", source));
 */
export function gather<I extends Inputs, U extends Uniforms>(
  name: string,
  mode: "gather" | "accumulate",
  inputs: I,
  uniforms: U,
  body: (scope: Scope<I, U>) => Output,
): GatherKernel {
  return { shape: "gather", name, mode, inputs, uniforms, out: body(scopeOf(inputs, uniforms)) };
}
