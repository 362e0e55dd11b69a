/** Madam: multiplicative Adam. */
import { normalisedGradient } from "./normalised-gradient.ts";
import { numberOf, type Options } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

/** The most that a step at learning rate `lr` changes ln|w|. */
const largest = (options: Options, lr: number): number =>
  numberOf(options, "largestStep") || lr * numberOf(options, "bound");

/** Stands for no bound where lr is 0: ĝ · lr must not become ∞ · 0. */
const MOST = 2 ** 60;

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
    bound: { type: "number", default: 10, min: 0, exclusive: true, doc: "cap of |ĝ|; 10 in the reference code, 8 in the paper" },
    largestStep: { type: "number", default: 0, min: 0, doc: "η*, cap of a step's relative change whatever η is; 0.08 in the paper; 0 caps |ĝ| by bound instead, as the reference code" },
    biasCorrection: { type: "choice", default: "on", choices: ["on", "off"], doc: "of the second moment: on in the reference code, off in the paper" },
    scale: { type: "number", default: 3, min: 0, exclusive: true, doc: "σ* as a multiple of the initial root mean square; 1, 2 or 3 in the paper" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    const corrected = options.biasCorrection === "on";
    const v = { role: "second", decay: numberOf(options, "beta"), corrected } as const;
    return decay > 0 ? { m: { role: "first", form: "mean", decay }, v } : { v };
  },
  uniforms: (options, lr) => ({
    octaves: -lr * Math.LOG2E,
    bound: options.largestStep === 0 ? numberOf(options, "bound") : Math.min(MOST, largest(options, lr) / lr),
  }),
  clampScale: (options) => numberOf(options, "scale"),
  reach: (options) => Math.LOG2E * largest(options, numberOf(options, "lr")),
  update(scope) {
    // log₂ of exp(-η sign(w) ĝ)
    const octaves = scope.bySign(normalisedGradient(scope)).mul(scope.uniform("octaves"));
    return { kind: "multiplicative", octaves };
  },
}; // prettier-ignore
