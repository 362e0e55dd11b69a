/** Rung: additive steps of Adam's size, taken on a ladder whose top follows the largest weight. */
import { select, type Value } from "../kernels/program.ts";
import type { NumberScope, Optimizer } from "./optimizer.ts";
import { numberOf } from "./options.ts";

/**
 * σ* ← σ* · 2^¼ where s < 1/8,  σ* · 2^-¼ where s > 5/8,  else as it is;   s = log₂(σ* / max|w|)
 *
 * A quarter of an octave is a whole number of rungs on ladders of 4, 8, 16 … an octave: codes only shift. Near enough to
 * the top that no step overtakes it, it rises; at 5/8 a stride down is not followed by one up. A tensor of zeros has no
 * largest weight: its top stays.
 */
function nextTop({ before, reduced }: NumberScope): Value {
  const largest = reduced("largest");
  const lower = select(largest.gt(0), before.mul(2 ** -0.25), before);
  const sunk = select(largest.lt(before.mul(2 ** -0.625)), lower, before);
  return select(largest.gt(before.mul(2 ** -0.125)), before.mul(2 ** 0.25), sunk);
}

/**
 *   m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²
 *   x = w - η (λ w + m̂ / (√v̂ + ε)),   m̂ = m / (1-β₁ᵗ),  v̂ = v / (1-β₂ᵗ)
 *   w ← Q(x / σ*) · σ*
 *
 * On a ladder of γ rungs an octave Q moves the weight by
 *
 *   Δk = γ log₂(|x| / |w|) rungs, rounded stochastically;   below the lowest rung ℓ: ±ℓ with probability |x| / ℓ, else 0
 *
 * so signs are free: a weight passes through zero at about its mean pace. And σ* moves: before each step it rises or
 * sinks by a quarter of an octave, to keep between 1/8 and 5/8 octaves above the largest weight, whatever the weights
 * grow to. A ladder of 8 bits has 7.9 octaves at 16 rungs each: few are spared for growth, and the lowest rung stays
 * low. In float32 there is no Q and no σ*, and the rule is AdamW's.
 *
 * Meant for weights that live as codes alone: `docs/optim/rung.md` says what each part is worth.
 */
export const optimizer: Optimizer = {
  name: "rung",
  summary: "additive steps on the ladder: signs free, the top rung follows the largest weight",
  options: {
    lr: { type: "number", default: 3e-3, min: 0, exclusive: true, doc: "η, step size; 3e-3 suits small transformers" },
    beta1: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "β₁, decay of the first moment" },
    beta2: { type: "number", default: 0.99, min: 0, max: 0.9999999, doc: "β₂, decay of the second moment; 0.99, since 8 bits hold a mean over 100 steps better than one over 1,000" },
    epsilon: { type: "number", default: 1e-8, min: 0, doc: "ε, added to √v̂" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, decoupled decay, multiplied by η; 0 is none" },
    scale: { type: "number", default: 6, min: 0, exclusive: true, doc: "first σ* as a multiple of the initial root mean square; 6 is above all of a million normal weights" },
  },
  state: (options) => ({
    m: { role: "first", form: "mean", decay: numberOf(options, "beta1") },
    v: { role: "second", decay: numberOf(options, "beta2") },
    scale: { role: "number", init: ({ scale }) => scale, next: nextTop },
  }),
  uniforms: (options, lr) => ({
    lr,
    epsilon: numberOf(options, "epsilon"),
    decay: lr * numberOf(options, "weightDecay"),
  }),
  clampScale: (options) => numberOf(options, "scale"),
  reductions: () => ({ largest: { op: "max", value: ({ w }) => w.abs() } }),
  update: ({ m, v, uniform }, { options }) => ({
    kind: "steps",
    ...(options.weightDecay === 0 ? {} : { decay: uniform("decay") }),
    rate: uniform("lr"),
    step: m.div(v.sqrt().add(uniform("epsilon"))),
  }),
}; // prettier-ignore
