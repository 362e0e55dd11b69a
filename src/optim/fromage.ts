/** Fromage: every layer moves by the same fraction of its own norm. */
import { select } from "../kernels/program.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 *   W ← (W - η ‖W‖/‖G‖ · G) / √(1+η²)
 *
 * for each tensor W with gradient G, in Frobenius norms. The denominator keeps a layer from growing when its steps are
 * at right angles to it. Where either norm is zero the step is η G, so that tensors of zeros can leave zero.
 *
 * @source Bernstein et al. 2020, On the distance between two neural networks and the stability of learning, Algorithm 1;
 *   the case of zero norms from its reference code.
 */
export const optimizer: Optimizer = {
  name: "fromage",
  summary: "every layer moves by the same fraction of its norm; no moments",
  options: {
    lr: { type: "number", default: 0.01, min: 0, exclusive: true, doc: "η, change of a layer relative to its norm; 0.01 as published" },
  },
  state: () => ({}),
  uniforms: (_, lr) => ({ lr, shrink: 1 / Math.sqrt(1 + lr * lr) }),
  reductions: () => ({
    weights: { op: "sum", value: ({ w }) => w.mul(w) },
    gradients: { op: "sum", value: ({ g }) => g.mul(g) },
  }),
  update({ g, reduced, uniform }) {
    const [weights, gradients] = [reduced("weights").sqrt(), reduced("gradients").sqrt()];
    const ratio = select(weights.mul(gradients).gt(0), weights.div(gradients), 1);
    const shrink = uniform("shrink");
    return { kind: "steps", decay: shrink.neg().add(1), rate: ratio.mul(uniform("lr")).mul(shrink), step: g };
  },
}; // prettier-ignore
