/** Integer Madam (B-bit Madam): weights are whole steps on a ladder of factors e^η₀. */
import {
  boundAt,
  boundOptions,
  largestStep,
  normalisedGradient,
  secondMomentOf,
} from "./normalised-gradient.ts";
import { numberOf, type Options } from "./options.ts";
import type { Optimizer, Variant } from "./optimizer.ts";
import { signOf } from "./sign.ts";

/** η₀: the ladder's own step where the weights lie on one. */
const baseOf = (options: Options, { octavesPerRung }: Variant): number =>
  octavesPerRung === null ? numberOf(options, "base") : octavesPerRung * Math.LN2;

/** How many rungs the ladder has. */
const levelsOf = (options: Options, { rungs }: Variant): number => rungs ?? numberOf(options, "levels");

/**
 *   w = sign · σ* · e^(-k η₀),   k in {0, …, levels - 1},   σ* = scale · RMS(w₀)
 *   ĝ as in Madam;   k ← clamp(k + sign(w) · round(ĝ · η/η₀), 0, levels - 1)
 *
 * On a natural ladder (`lns12-eta0.001`: 12 bits beside the sign, η₀ = 0.001) the code is k, counted from the other end,
 * and the rounding is the policy's: nearest as published, stochastic as ours. On other ladders a rung is their own step.
 * Weights in float32 walk the same ladder, `base` and `levels` apart, with nearest rounding.
 *
 * As in Madam the defaults are the reference code's, and the paper as written is `largestStep: 0.08`, `biasCorrection: "off"`.
 *
 * The published decay divides the factor η/η₀ (16, 4, 1) and stops at one rung: schedule `step`, and `leastFactor` 1.
 *
 * @source Bernstein et al. 2020, Learning compositional functions via multiplicative weight updates, section 4.1; start
 *   and bound of its reference code, which takes its random start after the first pass; here it holds from the first on.
 */
export const optimizer: Optimizer = {
  name: "integer-madam",
  summary: "Madam whose weights are whole steps on a ladder of factors e^η₀",
  options: {
    lr: { type: "number", default: 0.01, min: 0, exclusive: true, doc: "η, relative change a step; η/η₀ is the reference code's lr factor, 10" },
    base: { type: "number", default: 0.001, min: 0, exclusive: true, doc: "η₀, ratio of neighbouring rungs is e^η₀; 0.001 as published; a ladder that the weights lie on has its own" },
    levels: { type: "number", default: 4096, min: 2, doc: "number of rungs; 4096 (12 bits) as published; a ladder has its own" },
    leastFactor: { type: "number", default: 0, min: 0, doc: "least η/η₀ that a schedule may leave; 1 in the published CIFAR runs" },
    beta: { type: "number", default: 0.999, min: 0, max: 0.9999999, doc: "β, decay of the second moment; 0.999 as published" },
    momentum: { type: "number", default: 0, min: 0, max: 0.9999999, doc: "β₁ of a running mean of the gradient; 0 as published" },
    ...boundOptions,
    scale: { type: "number", default: 3, min: 0, exclusive: true, doc: "σ* as a multiple of the initial root mean square; 1, 2 or 3 in the paper" },
    init: { type: "choice", default: "uniform", choices: ["uniform", "weights"], doc: "first rungs: drawn from all but the last, signs kept, as published; or nearest to the model's own weights" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    const v = secondMomentOf(options);
    return decay > 0 ? { m: { role: "first", form: "mean", decay }, v } : { v };
  },
  uniforms(options, lr, _, variant) {
    const base = baseOf(options, variant);
    const factor = Math.max(numberOf(options, "leastFactor"), lr / base);
    return {
      factor: -factor,
      bound: boundAt(options, factor * base),
      octavesPerRung: base * Math.LOG2E,
      lowest: Math.exp(-base * (levelsOf(options, variant) - 1)),
    };
  },
  clampScale: (options) => numberOf(options, "scale"),
  ladderOptions: ({ octavesPerRung, rungs }) =>
    octavesPerRung === null || rungs === null ? {} : { base: octavesPerRung * Math.LN2, levels: rungs },
  reach: (options) => Math.LOG2E * largestStep(options, numberOf(options, "lr")),
  initial({ options, variant, scale, random }) {
    const base = baseOf(options, variant);
    const levels = levelsOf(options, variant);
    const drawn = (_: number, i: number): number => Math.floor(random(i) * (levels - 1));
    const nearest = (w: number): number =>
      Math.max(0, Math.min(levels - 1, Math.round(Math.log(scale / Math.abs(w)) / base)));
    const rung = options.init === "weights" ? nearest : drawn;
    return (w, i) => (w === 0 ? 0 : Math.sign(w) * scale * Math.exp(-base * rung(w, i)));
  },
  update(scope, { octavesPerRung }) {
    const { w, scale, uniform } = scope;
    const rungs = scope.bySign(normalisedGradient(scope)).mul(uniform("factor"));
    if (octavesPerRung !== null) return { kind: "multiplicative", octaves: rungs, unit: octavesPerRung };
    const factor = rungs.nearest().mul(uniform("octavesPerRung")).exp2();
    // A format that is no ladder may hold a weight a little below the lowest rung: there it stays.
    const lowest = scale.mul(uniform("lowest")).min(w.abs());
    const magnitude = w.abs().mul(factor).clamp(lowest, scale);
    return { kind: "additive", value: signOf(w).mul(magnitude) };
  },
}; // prettier-ignore
