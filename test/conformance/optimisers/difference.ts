/** An optimiser for tests that keeps something else in place of the weight. */
import { uniformFloat } from "../../../src/kernels/random.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { numberOf } from "../../../src/optim/options.ts";

const lr = { type: "number", default: 0.1, min: 0, exclusive: true, doc: "relative change a step" } as const;

/** w = u - v with noise on both: parts in the weight's place, moved by factors against the sign of the gradient. */
export const difference: Optimizer = {
  name: "difference",
  summary: "positive parts u and v, w = u - v",
  options: { lr, deviation: { type: "number", default: 0.1, min: 0, doc: "of the noise" } },
  state: () => ({
    u: { role: "part", signed: false, init: (w) => Math.max(0, w) + 0.25 },
    v: { role: "part", signed: false, init: (w) => Math.max(0, -w) + 0.25 },
    m: { role: "first", form: "mean", decay: 0.5 },
  }),
  uniforms: (options, rate) => ({ octaves: -rate * Math.LOG2E, deviation: numberOf(options, "deviation") }),
  reach: () => 1,
  materialise({ part, bits, noise, uniform }) {
    const factor = (stream: number) =>
      uniformFloat(bits(stream)).sub(0.5).mul(noise).mul(uniform("deviation")).add(1);
    return part("u")
      .mul(factor(0))
      .sub(part("v").mul(factor(1)));
  },
  update({ m, uniform }) {
    const octaves = m.max(-1).min(1).mul(uniform("octaves"));
    return {
      kind: "none",
      parts: {
        u: { kind: "multiplicative", octaves },
        v: { kind: "multiplicative", octaves: octaves.neg() },
      },
    };
  },
};
