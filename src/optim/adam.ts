/** Adam, with weight decay as a part of the gradient. */
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 *   g ← g + λ w
 *   m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²
 *   w ← w - η m̂ / (√v̂ + ε),   m̂ = m / (1-β₁ᵗ),  v̂ = v / (1-β₂ᵗ)
 *
 * @source Kingma and Ba 2015, Adam: a method for stochastic optimization, Algorithm 1.
 */
export const optimizer: Optimizer = {
  name: "adam",
  summary: "steps in units of the gradient's running size",
  options: {
    lr: { type: "number", default: 1e-3, min: 0, exclusive: true, doc: "η, step size; 1e-3 as in the paper" },
    beta1: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "β₁, decay of the first moment" },
    beta2: { type: "number", default: 0.999, min: 0, max: 0.9999999, doc: "β₂, decay of the second moment" },
    epsilon: { type: "number", default: 1e-8, min: 0, doc: "ε, added to √v̂" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, added to the gradient as λ w; adamw decays apart from it" },
  },
  state: (options) => ({
    m: { role: "first", form: "mean", decay: numberOf(options, "beta1") },
    v: { role: "second", decay: numberOf(options, "beta2") },
  }),
  uniforms: (options, lr) => ({
    lr,
    epsilon: numberOf(options, "epsilon"),
    decay: numberOf(options, "weightDecay"),
  }),
  gradient: ({ w, g, uniform }, { options }) => (options.weightDecay === 0 ? g : w.fma(uniform("decay"), g)),
  update: ({ m, v, uniform }) => ({
    kind: "steps",
    rate: uniform("lr"),
    step: m.div(v.sqrt().add(uniform("epsilon"))),
  }),
}; // prettier-ignore
