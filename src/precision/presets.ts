/** Precision policies by name. */
import type { Rounding } from "../formats/format.ts";
import type { Policy, ScaleRule, TensorPrecision } from "./policy.ts";

const held = (format: string, rounding: Rounding, scale: ScaleRule): TensorPrecision => ({
  format,
  rounding,
  scale,
});

const fp32: Policy = {
  name: "fp32",
  weight: null,
  activation: null,
  error: null,
  saved: null,
  gradient: null,
  update: null,
  embedding: null,
  moment: { first: null, second: null },
  passes: "both",
  layers: {},
};

/**
 * Three bytes of state a weight. 16 rungs an octave and stochastic rounding: coarser ladders or nearest rounding
 * lose more. The second moment's top rung is 2⁸: gradients above 16 saturate, those under 2⁻²⁸ count as 0.
 */
const state8: Policy = {
  ...fp32,
  name: "state8",
  update: held("lns8-g16", "stochastic", "tensor"),
  embedding: held("lns8-g8", "stochastic", "tensor"),
  moment: {
    first: held("lns8-g8", "stochastic", "tensor"),
    second: held("ulns8-g4", "stochastic", 256),
  },
};

/**
 * Every operand of every product, and what is kept for the backward pass, in one format. Weights that the optimiser
 * stores as codes are operands as they are.
 */
const operands = (precision: TensorPrecision) =>
  ({ weight: precision, activation: precision, error: precision, saved: precision }) as const;

const nearest8 = held("lns8-g8", "nearest-even", "tensor");
const bf16 = held("bf16", "nearest-even", "none");
const stored16 = held("bf16", "stochastic", "none");

/** Weights alone on the ladder of B-bit Madam; the rest is float32 there. */
function madam(name: string, format: string): Policy {
  const stored = held(format, "nearest-even", "tensor");
  return { ...fp32, name, update: stored, embedding: stored };
}

/** Blocks of 32 with the scale of OCP MX v1.0. */
const mx = (format: string): TensorPrecision => ({
  ...held(format, "nearest-even", "block"),
  block: 32,
});

/** Operands of the forward products in MX blocks; the backward pass reads them unrounded. */
const lmd = (name: string, format: string): Policy => ({
  ...fp32,
  name,
  weight: mx(format),
  activation: mx(format),
  passes: "forward-only",
});

/**
 * Less than four bytes a weight for LMD: two parts, on an unsigned ladder of 32 rungs an octave, and two moments; three where
 * its direction is a sign. Parts of small weights stay near the floor that they start from, so eight octaves are enough. The
 * second moment spans the 63 octaves of `state8` on whole octaves, which its root halves, in 6 bits.
 */
const lmd8: Policy = {
  ...state8,
  name: "lmd8",
  update: held("ulns8-g32", "stochastic", "tensor"),
  moment: { first: state8.moment.first, second: held("ulns6-g1", "stochastic", 256) },
};

/** Everything at 8 bits, operands of products on ladders. */
const rung8: Policy = {
  ...state8,
  name: "rung8",
  ...operands(nearest8),
  weight: state8.update,
  embedding: state8.update,
  gradient: nearest8,
};

/**
 * - `fp32`        everything in float32.
 * - `bf16`        operands of products in bfloat16, weights and optimiser state in float32: mixed precision.
 * - `state8`      weights and optimiser state in 8-bit log codes, operands of products in float32.
 * - `state16`     the same at 16 bits: a ladder of 1024 rungs an octave, moments in bf16.
 * - `madam-b12`, `madam-b10`, `madam-b8`  weights alone, on ladders of e^-0.001, e^-0.005, e^-0.01 with 2¹², 2¹⁰, 2⁸
 *   magnitudes and a sign: the Transformer's settings in the reference code of Bernstein et al. 2020.
 * - `lmd8`        the parts of LMD's weights and its first moment in 8-bit log codes, the second in 6, operands of products in float32.
 * - `lns-madam-8` everything in 8-bit log codes: `state8`, and the operands of every product.
 * - `lmd-mxfp6`, `lmd-mxfp4`  operands of forward products in MX blocks, the backward pass on unrounded ones, as LMD's
 *   abstract has it. Of the two 6-bit elements we chose e2m3, and ties to even: the source names neither.
 * - `mxfp8`       e4m3 blocks in both passes: with e5m2 errors, Megatron's users saw training diverge.
 * - `rung8`       all of it at 8 bits: weights, activations, errors, gradients, moments; embeddings as other weights, since
 *   the rule that it is for lets weights through zero. `docs/optim/rung.md` has its figures.
 * - `rung-mxfp6`  the same between steps and between passes, operands of all products in 6-bit blocks, which are multiplied in
 *   integers. Errors are rounded stochastically: to nearest they cost the README's model 0.6 % more.
 */
export const presets = {
  fp32,
  bf16: { ...fp32, name: "bf16", ...operands(bf16) },
  state8,
  lmd8,
  state16: {
    ...fp32,
    name: "state16",
    update: held("lns16-g1024", "stochastic", "tensor"),
    embedding: stored16,
    moment: { first: stored16, second: stored16 },
  },
  "madam-b12": madam("madam-b12", "lns12-eta0.001"),
  "madam-b10": madam("madam-b10", "lns10-eta0.005"),
  "madam-b8": madam("madam-b8", "lns8-eta0.01"),
  "lns-madam-8": {
    ...state8,
    name: "lns-madam-8",
    ...operands(nearest8),
    weight: state8.update,
    gradient: nearest8,
  },
  "lmd-mxfp6": lmd("lmd-mxfp6", "mxfp6-e2m3"),
  "lmd-mxfp4": lmd("lmd-mxfp4", "mxfp4-e2m1"),
  mxfp8: { ...fp32, name: "mxfp8", ...operands(mx("mxfp8-e4m3")) },
  rung8,
  "rung-mxfp6": {
    ...rung8,
    name: "rung-mxfp6",
    weight: mx("mxfp6-e2m3"),
    activation: mx("mxfp6-e2m3"),
    error: { ...mx("mxfp6-e2m3"), rounding: "stochastic" },
  },
} as const satisfies Record<string, Policy>;
