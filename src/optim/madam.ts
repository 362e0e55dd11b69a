/** Madam: multiplicative Adam. */
import {
  boundAt,
  boundOptions,
  largestStep,
  normalisedGradient,
  secondMomentOf,
} from "./normalised-gradient.ts";
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 * Madam: a weight keeps its sign and moves by a bounded factor, so on a logarithmic ladder the update is an addition.
 *
 *   v ← β v + (1-β) g²,   ĝ = clamp(m̂ / √(v / (1-βᵗ)), ±bound)
 *   w ← clamp(w · exp(-η · sign(w) · ĝ), ±σ*),   σ* = scale · RMS(w₀)
 *
 * m̂ is the gradient itself at momentum 0 (as published), else its bias-corrected running mean.
 *
 * The defaults are the reference code's. The paper as written is `largestStep: 0.08` (η* of 8 times η, which stays when η is
 * decayed: the bound of ĝ is their ratio), `biasCorrection: "off"`.
 *
 * @source Bernstein et al. 2020, Learning compositional functions via multiplicative weight updates, Algorithm 1, with
 *   the bias correction and bound of its reference code. Momentum is an addition of ours.
 */
export const optimizer: Optimizer = {
  name: "madam",
  summary: "multiplicative Adam: bounded relative changes, signs kept",
  options: {
    lr: { type: "number", default: 0.01, min: 0, exclusive: true, doc: "η, relative change a step; 1 % for every task, as published" },
    beta: { type: "number", default: 0.999, min: 0, max: 0.9999999, doc: "β, decay of the second moment; 0.999 as published" },
    momentum: { type: "number", default: 0, min: 0, max: 0.9999999, doc: "β₁ of a running mean of the gradient; 0 as published, 0.9 trains transformers better" },
    ...boundOptions,
    scale: { type: "number", default: 3, min: 0, exclusive: true, doc: "σ* as a multiple of the initial root mean square; 1, 2 or 3 in the paper" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    const v = secondMomentOf(options);
    return decay > 0 ? { m: { role: "first", form: "mean", decay }, v } : { v };
  },
  uniforms: (options, lr) => ({
    octaves: -lr * Math.LOG2E,
    bound: boundAt(options, lr),
  }),
  clampScale: (options) => numberOf(options, "scale"),
  reach: (options) => Math.LOG2E * largestStep(options, numberOf(options, "lr")),
  update(scope) {
    // log₂ of exp(-η sign(w) ĝ)
    const octaves = scope.bySign(normalisedGradient(scope)).mul(scope.uniform("octaves"));
    return { kind: "multiplicative", octaves };
  },
}; // prettier-ignore
