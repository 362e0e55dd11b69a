/** AdamW: Adam with decoupled weight decay. */
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 *   m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²
 *   w ← w - η (λ w + m̂ / (√v̂ + ε)),   m̂ = m / (1-β₁ᵗ),  v̂ = v / (1-β₂ᵗ)
 *
 * @source Loshchilov and Hutter 2019, Decoupled weight decay regularization, Algorithm 2.
 */
export const optimizer: Optimizer = {
  name: "adamw",
  summary: "Adam with decoupled weight decay; the additive baseline",
  options: {
    lr: { type: "number", default: 1e-3, min: 0, exclusive: true, doc: "η, step size; 1e-3 as in the paper" },
    beta1: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "β₁, decay of the first moment" },
    beta2: { type: "number", default: 0.999, min: 0, max: 0.9999999, doc: "β₂, decay of the second moment" },
    epsilon: { type: "number", default: 1e-8, min: 0, doc: "ε, added to √v̂" },
    weightDecay: { type: "number", default: 0.01, min: 0, doc: "λ, decoupled decay, multiplied by η" },
  },
  state: (options) => ({
    m: { role: "first", form: "mean", decay: numberOf(options, "beta1") },
    v: { role: "second", decay: numberOf(options, "beta2") },
  }),
  uniforms: (options, lr) => ({
    lr,
    epsilon: numberOf(options, "epsilon"),
    decay: lr * numberOf(options, "weightDecay"),
  }),
  update: ({ m, v, uniform }, { options }) => ({
    kind: "steps",
    ...(options.weightDecay === 0 ? {} : { decay: uniform("decay") }),
    rate: uniform("lr"),
    step: m.div(v.sqrt().add(uniform("epsilon"))),
  }),
};
