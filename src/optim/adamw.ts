/** AdamW: Adam with decoupled weight decay. */
import { optimizer as adam } from "./adam.ts";
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
    ...adam.options,
    weightDecay: { type: "number", default: 0.01, min: 0, doc: "λ, decoupled decay, multiplied by η" },
  },
  state: adam.state,
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
