/** The normalised, bounded gradient of the multiplicative rules. */
import { f32, select, type Value } from "../kernels/program.ts";
import { numberOf, type Options, type OptionSchema } from "./options.ts";
import type { SecondMoment, UpdateScope } from "./optimizer.ts";

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

/** In which the published paper and its reference code differ; the defaults are the code's. */
export const boundOptions = {
  bound: { type: "number", default: 10, min: 0, exclusive: true, doc: "cap of |ĝ|; 10 in the reference code, 8 in the paper" },
  largestStep: { type: "number", default: 0, min: 0, doc: "η*, cap of a step's relative change whatever η is; 0.08 in the paper; 0 caps |ĝ| by bound instead, as the reference code" },
  biasCorrection: { type: "choice", default: "on", choices: ["on", "off"], doc: "of the second moment: on in the reference code, off in the paper" },
} as const satisfies OptionSchema; // prettier-ignore

/** Stands for no bound where lr is 0: ĝ · lr must not become ∞ · 0. */
const MOST = 2 ** 60;

/** The most that a step at learning rate `lr` changes ln|w|. */
export const largestStep = (options: Options, lr: number): number =>
  numberOf(options, "largestStep") || lr * numberOf(options, "bound");

/** The bound of ĝ at learning rate `lr`. */
export const boundAt = (options: Options, lr: number): number =>
  options.largestStep === 0 ? numberOf(options, "bound") : Math.min(MOST, largestStep(options, lr) / lr);

/** v by the options `beta` and `biasCorrection`. */
export const secondMomentOf = (options: Options): SecondMoment => ({
  role: "second",
  decay: numberOf(options, "beta"),
  corrected: options.biasCorrection === "on",
});
