/** SGD: gradient descent, with momentum. */
import { numberOf, OptionError, type Options } from "./options.ts";
import type { Optimizer } from "./optimizer.ts";

const nesterov = (options: Options): boolean => options.nesterov === "on";

/**
 *   g ← g + λ w,   b ← μ b + (1-d) g  (b₁ = g)
 *   w ← w - η b,   or with Nesterov's look ahead  w ← w - η (g + μ b)
 *
 * Weight decay enters the momentum, and the momentum is a sum, not a mean: both as in PyTorch.
 *
 * @source Polyak 1964; Nesterov 1983; in the form of Sutskever et al. 2013, On the importance of initialization and
 *   momentum in deep learning, with the learning rate outside the sum.
 */
export const optimizer: Optimizer = {
  name: "sgd",
  summary: "gradient descent with momentum",
  options: {
    lr: { type: "number", default: 0.1, min: 0, exclusive: true, doc: "η, step size; 0.1 is usual for image networks" },
    momentum: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "μ, decay of the sum of gradients; 0 keeps none" },
    dampening: { type: "number", default: 0, min: 0, max: 1, doc: "d, what a gradient is diminished by before it is added" },
    nesterov: { type: "choice", default: "off", choices: ["off", "on"], doc: "looks one step ahead; wants momentum and no dampening" },
    weightDecay: { type: "number", default: 0, min: 0, doc: "λ, added to the gradient as λ w" },
  },
  state(options) {
    const decay = numberOf(options, "momentum");
    const dampening = numberOf(options, "dampening");
    if (nesterov(options) && (decay === 0 || dampening > 0)) {
      throw new OptionError(
        `logrung: optimiser sgd's nesterov is "on" with momentum ${decay} and dampening ${dampening}, ` +
          "wants momentum > 0 and dampening 0",
      );
    }
    return decay > 0 ? { m: { role: "first", form: "sum", decay, dampening } } : {};
  },
  uniforms: (options, lr) => ({
    lr,
    momentum: numberOf(options, "momentum"),
    decay: numberOf(options, "weightDecay"),
  }),
  gradient: ({ w, g, uniform }, { options }) => (options.weightDecay === 0 ? g : w.fma(uniform("decay"), g)),
  update: ({ g, m, uniform }, { options }) => ({
    kind: "steps",
    rate: uniform("lr"),
    step: nesterov(options) ? m.fma(uniform("momentum"), g) : m,
  }),
}; // prettier-ignore
