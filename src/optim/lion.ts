/** Lion: the sign of an interpolated momentum. */
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";
import { signOf } from "./sign.ts";

/**
 *   c = β₁ m + (1-β₁) g
 *   w ← w - η (sign(c) + λ w)
 *   m ← β₂ m + (1-β₂) g
 *
 * @source Chen et al. 2023, Symbolic discovery of optimization algorithms, Algorithm 2.
 */
export const optimizer: Optimizer = {
  name: "lion",
  summary: "the sign of momentum and gradient mixed; one moment",
  options: {
    lr: { type: "number", default: 1e-4, min: 0, exclusive: true, doc: "η, size of every step; 3 to 10 times less than AdamW's, as published" },
    beta1: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "β₁, share of the momentum in the step" },
    beta2: { type: "number", default: 0.99, min: 0, max: 0.9999999, doc: "β₂, decay of the momentum" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, decoupled decay, multiplied by η; 3 to 10 times AdamW's, as published" },
  },
  state: (options) => ({ m: { role: "first", form: "mean", decay: numberOf(options, "beta2") } }),
  uniforms: (options, lr) => ({
    lr,
    mix: numberOf(options, "beta1"),
    decay: lr * numberOf(options, "weightDecay"),
  }),
  update: ({ g, field, uniform }, { options }) => ({
    kind: "steps",
    ...(options.weightDecay === 0 ? {} : { decay: uniform("decay") }),
    rate: uniform("lr"),
    step: signOf(field("m").before.sub(g).fma(uniform("mix"), g)),
  }),
}; // prettier-ignore
