/** The normalised, bounded gradient of the multiplicative rules. */
import { f32, select, type Value } from "../kernels/program.ts";
import type { UpdateScope } from "./optimizer.ts";

/**
 *   ĝ = clamp(m̂ / √v̂, ±bound)
 *
 * No ε: 0/0 (a gradient that was never non-zero) gives 0, and an overflow gives ±bound, as the reference code of
 * Madam has it.
 */
export function normalisedGradient({ m, v, uniform }: UpdateScope): Value {
  const ratio = m.div(v.sqrt());
  const defined = select(ratio.eq(ratio), ratio, f32(0));
  return defined.clamp(uniform("bound").neg(), uniform("bound"));
}
