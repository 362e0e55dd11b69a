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
  gradient: null,
  update: null,
  embedding: null,
  moment: { first: null, second: null },
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
 * - `fp32`        everything in float32.
 * - `state8`      weights and optimiser state in 8-bit log codes, operands of products in float32.
 * - `state16`     the same at 16 bits: a ladder of 1024 rungs an octave, moments in bf16.
 * - `lns-madam-8` everything in 8-bit log codes: `state8`, and the operands of every product.
 */
export const presets = {
  fp32,
  state8,
  state16: {
    ...fp32,
    name: "state16",
    update: held("lns16-g1024", "stochastic", "tensor"),
    embedding: held("bf16", "stochastic", 1),
    moment: { first: held("bf16", "stochastic", 1), second: held("bf16", "stochastic", 1) },
  },
  "lns-madam-8": {
    ...state8,
    name: "lns-madam-8",
    weight: state8.update,
    activation: held("lns8-g8", "nearest-even", "tensor"),
    error: held("lns8-g8", "nearest-even", "tensor"),
    gradient: held("lns8-g8", "nearest-even", "tensor"),
  },
} as const satisfies Record<string, Policy>;
