/** LMD: log-normal multiplicative dynamics. */
import { normal } from "../kernels/normal.ts";
import type { Value } from "../kernels/program.ts";
import { furtherBits } from "../kernels/random.ts";
import { normalisedGradient } from "./normalised-gradient.ts";
import { numberOf, type Options } from "./options.ts";
import type { Optimizer, StateFields, UpdateScope } from "./optimizer.ts";
import { signOf } from "./sign.ts";

/** The root mean square that tensors of zeros are counted as: GPT-2's initial deviation. */
const ZERO_TENSOR_RMS = 0.02;

/** The distance c that both parts start from zero at least. */
function floorOf(options: Options, rms: number): number {
  const unit = options.floorUnit === "one" ? 1 : rms || ZERO_TENSOR_RMS;
  return numberOf(options, "floor") * unit;
}

/** e^(-σ²/2): what a log-normal number's median is of its mean. */
const medianOfMean = (options: Options): number => Math.exp(-(numberOf(options, "deviation") ** 2) / 2);

/** More than five deviations of the logarithm at σ = 1. */
const MOST_OCTAVES = 8;

/** First values of one side: (max(±w, 0) + c) · e^(-σ²/2), so that the mean of the sampled weight is w. */
function initialPart(options: Options, side: 1 | -1) {
  const share = medianOfMean(options);
  return (w: number, rms: number): number => (Math.max(side * w, 0) + floorOf(options, rms)) * share;
}

/** The direction s of a step: bounded, its sign that of the smoothed gradient. */
const directions: Readonly<Record<string, (scope: UpdateScope) => Value>> = {
  lion: ({ g, field, uniform }) => signOf(field("m").before.sub(g).fma(uniform("mix"), g)),
  sign: ({ m }) => signOf(m),
  normalised: normalisedGradient,
};

/** R of one side, `side` · w the part's share in the weight; everything in logarithms of the part. */
const regularisers: Readonly<Record<string, (scope: UpdateScope, part: string, side: 1 | -1) => Value>> = {
  kl: ({ field, octaves }, part) => octaves(part).sub(field("prior").value.log2()).mul(Math.LN2),
  decay: ({ uniform }) => uniform("one"),
  l2: ({ w, field }, part, side) =>
    w
      .mul(field(part).before)
      .mul(side)
      .div(field("prior").value.mul(field("prior").value)),
};

/**
 * LMD: a weight is the difference of two positive numbers with log-normal noise on both; step, noise and regulariser multiply.
 *
 *   w = p · e^(σ z) - q · e^(σ z′),   z, z′ ~ N(0, 1) anew before every forward pass; in evaluation the mean, (p - q) e^(σ²/2)
 *   m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²,   s = clamp(m̂ / √v̂, ±bound), or a sign of the moment alone
 *   p ← p · exp(-α (s + λ R_p)),   q ← q · exp(-α (-s + λ R_q))
 *
 * Without R, p q stays: near zero a step is additive, Δw = -2 α c s for a floor c, and multiplicative well above it.
 *
 * The gradient of log p is g · p and that of log q is -g · q, so one moment of g serves both signs. With several samples a
 * step g is the mean of theirs. What the authors do not publish is an option here, its default from our own ablation:
 * `docs/optim/lmd.md`.
 *
 * State: p, q and m; with `direction: "normalised"` the second moment too.
 *
 * @source Nishida et al. 2025, Log-normal multiplicative dynamics for stable low-precision training of large networks
 *   (arXiv 2506.17768), its abstract and public reviews; the multiplicative Lie-group rule of the same authors.
 */
export const optimizer: Optimizer = {
  name: "lmd",
  summary: "log-normal multiplicative dynamics: w = p - q, noise, step and regulariser multiply",
  options: {
    lr: { type: "number", default: 0.015, min: 0, exclusive: true, doc: "α, relative change a step of p and q; weights near zero move by 2 α c" },
    deviation: { type: "number", default: 0.02, min: 0, max: 1, doc: "σ of the logarithm of the noise; 0 is none" },
    floor: { type: "number", default: 0.1, min: 0, exclusive: true, doc: "c: p and q start this far above max(±w, 0)" },
    floorUnit: { type: "choice", default: "one", choices: ["one", "rms"], doc: "what the floor counts in: 1, the same for all tensors, or root mean squares of the tensor's initial weights" },
    direction: { type: "choice", default: "normalised", choices: ["lion", "sign", "normalised"], doc: "lion: the sign of moment and gradient mixed; sign: of the moment; normalised: m / √v, bounded" },
    beta1: { type: "number", default: 0.9, min: 0, max: 0.9999999, doc: "lion: share of the moment in the step; normalised: decay of the moment" },
    beta2: { type: "number", default: 0.99, min: 0, max: 0.9999999, doc: "lion and sign: decay of the moment; normalised: of the second moment" },
    bound: { type: "number", default: 10, min: 0, exclusive: true, doc: "normalised: cap of |s|" },
    regulariser: { type: "choice", default: "kl", choices: ["none", "kl", "decay", "l2"], doc: "R; kl: log(p / prior), a pull towards the prior; decay: 1, a decay of both; l2: of the weight" },
    strength: { type: "number", default: 0.05, min: 0, doc: "λ, multiplies R" },
    scale: { type: "number", default: 16, min: 0, exclusive: true, doc: "most that p and q may be, in sums of floor and root mean square of the initial tensor: the top rung where they lie on a ladder" },
  },
  state(options): StateFields {
    const [beta1, beta2] = [numberOf(options, "beta1"), numberOf(options, "beta2")];
    const parts: StateFields = {
      plus: { role: "part", signed: false, init: initialPart(options, 1) },
      minus: { role: "part", signed: false, init: initialPart(options, -1) },
      prior: {
        role: "number",
        init: ({ rms }) => floorOf(options, rms) * medianOfMean(options),
        next: ({ before }) => before,
      },
    };
    if (options.direction !== "normalised") return { ...parts, m: { role: "first", form: "mean", decay: beta2 } };
    return { ...parts, m: { role: "first", form: "mean", decay: beta1 }, v: { role: "second", decay: beta2 } };
  },
  uniforms: (options, lr) => ({
    octaves: -lr * Math.LOG2E,
    pull: -lr * Math.LOG2E * numberOf(options, "strength"),
    mix: numberOf(options, "beta1"),
    bound: numberOf(options, "bound"),
    deviation: numberOf(options, "deviation") * Math.LOG2E,
    meanOctaves: (numberOf(options, "deviation") ** 2 / 2) * Math.LOG2E,
    one: 1,
  }),
  clampScale: (options) => numberOf(options, "scale"),
  clampUnit: (options, rms) => rms + floorOf(options, rms),
  reach: (options) =>
    numberOf(options, "lr") * Math.LOG2E * (numberOf(options, "bound") + 16 * numberOf(options, "strength")),
  materialise({ part, bits, noise, uniform }, { options }) {
    if (options.deviation === 0) return part("plus").sub(part("minus"));
    // In evaluation the mean: e^(σ²/2).
    const mean = noise.neg().add(1).mul(uniform("meanOctaves"));
    const deviation = uniform("deviation").mul(noise);
    const word = bits(0);
    const [p, q] = [word, furtherBits(word)].map((each) =>
      normal(each).fma(deviation, mean).clamp(-MOST_OCTAVES, MOST_OCTAVES).exp2());
    return part("plus").mul(p).sub(part("minus").mul(q));
  },
  update(scope, { options }) {
    const { uniform } = scope;
    const step = directions[String(options.direction)](scope).mul(uniform("octaves"));
    const regulariser = options.regulariser === "none" ? null : regularisers[String(options.regulariser)];
    const change = (name: string, side: 1 | -1) => {
      const moved = side === 1 ? step : step.neg();
      const octaves = regulariser ? regulariser(scope, name, side).fma(uniform("pull"), moved) : moved;
      return { kind: "multiplicative", octaves } as const;
    };
    return { kind: "none", parts: { plus: change("plus", 1), minus: change("minus", -1) } };
  },
}; // prettier-ignore
