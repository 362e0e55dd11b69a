/** signSGD: steps of one size along the sign of the gradient; Signum with momentum. */
import { numberOf } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";
import { signOf } from "./sign.ts";

/**
 *   m ← β m + (1-β) g  (m = g without momentum)
 *   w ← w - η (sign(m) + λ w),   sign(0) = 0
 *
 * @source Bernstein et al. 2018, signSGD: compressed optimisation for non-convex problems, Algorithms 1 and 2.
 */
export const optimizer: Optimizer = {
  name: "signsgd",
  summary: "steps of one size along the sign of the gradient, or of its mean (Signum)",
  options: {
    lr: { type: "number", default: 1e-4, min: 0, exclusive: true, doc: "η, size of every step; 1e-4 as published for images" },
    momentum: { type: "number", default: 0, min: 0, max: 0.9999999, doc: "β of a running mean of the gradient: 0 is signSGD, 0.9 is Signum" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, decoupled decay, multiplied by η" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    return decay > 0 ? { m: { role: "first", form: "mean", decay } } : {};
  },
  uniforms: (options, lr) => ({ lr, decay: lr * numberOf(options, "weightDecay") }),
  update: ({ m, uniform }, { options }) => ({
    kind: "steps",
    ...(options.weightDecay === 0 ? {} : { decay: uniform("decay") }),
    rate: uniform("lr"),
    step: signOf(m),
  }),
}; // prettier-ignore
