/** LNS-Madam: Madam whose steps are rungs of a base-2 logarithmic number system. */
import { normalisedGradient } from "./normalised-gradient.ts";
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 *   ĝ as in Madam, rounded to an integer where `roundGradient` says so
 *   without decay:  w ← clamp(w · 2^(-η · sign(w) · ĝ), ±σ*)
 *   with decay λ:   w ← clamp(w · e^(-η · sign(w) · ĝ - η λ), ±σ*)
 *
 * On a ladder of γ rungs an octave, log₂|w| moves by whole rungs: E ← E - round(sign(w) · ĝ · η · γ). With η = 1/γ and
 * an integer ĝ the multiplication disappears. The switch of base with decay is the reference code's.
 *
 * @source Zhao et al. 2022, LNS-Madam: low-precision training in logarithmic number system using multiplicative weight
 *   update; constants from its reference optimiser. Momentum is used here; that code stores and ignores it.
 */
export const optimizer: Optimizer = {
  name: "lns-madam",
  summary: "Madam in a base-2 logarithmic number system: steps are rungs of the ladder",
  options: {
    lr: { type: "number", default: 2 ** -7, min: 0, exclusive: true, doc: "η, octaves a step; 2^-7 as published" },
    beta: { type: "number", default: 0.999, min: 0, max: 0.9999999, doc: "β, decay of the second moment; 0.999 as published" },
    momentum: { type: "number", default: 0, min: 0, max: 0.9999999, doc: "β₁ of a running mean of the gradient; 0 as published, 0.9 trains transformers better" },
    bound: { type: "number", default: 10, min: 0, exclusive: true, doc: "cap of |ĝ|; 10 as published" },
    scale: { type: "number", default: 3, min: 0, exclusive: true, doc: "σ* as a multiple of the initial root mean square; 3 as published" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, multiplicative decay; 0 is none" },
    roundGradient: { type: "choice", default: "auto", choices: ["auto", "always", "never"], doc: "round ĝ to an integer first: auto does so for float32 weights, as published, and leaves it to the rungs on a ladder" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    const v = { role: "second", decay: numberOf(options, "beta") } as const;
    return decay > 0 ? { m: { role: "first", form: "mean", decay }, v } : { v };
  },
  uniforms(options, lr) {
    const decay = numberOf(options, "weightDecay");
    const base = decay > 0 ? Math.LOG2E : 1;
    return { octaves: -lr * base, decay: -lr * decay * base, bound: numberOf(options, "bound") };
  },
  clampScale: (options) => numberOf(options, "scale"),
  reach: (options) =>
    numberOf(options, "lr") * Math.LOG2E * (numberOf(options, "bound") + numberOf(options, "weightDecay")),
  update(scope, { options, onLadder }) {
    const round = options.roundGradient === "always" || (options.roundGradient === "auto" && !onLadder);
    const normalised = normalisedGradient(scope);
    const steps = round ? normalised.nearest() : normalised;
    const octaves = scope.bySign(steps).fma(scope.uniform("octaves"), scope.uniform("decay"));
    return { kind: "multiplicative", octaves };
  },
}; // prettier-ignore
