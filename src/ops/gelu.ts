/** The Gaussian error linear unit, in the tanh form of GPT-2. */
import { pointwise } from "../kernels/pointwise.ts";
import type { Value } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { mapOver } from "./pointwise-op.ts";
import { saveInput } from "./saved.ts";
import { savedSlope } from "./saved-slope.ts";

const ROOT = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** tanh(√(2/π) (x + 0.044715 x³)). */
const bend = (x: Value): Value => x.mul(x).mul(x).fma(CUBIC, x).mul(ROOT).tanh();

/** gelu(x) as a value, for epilogues. */
export const geluValue = (x: Value): Value => x.mul(0.5).mul(bend(x).add(1));

/** d gelu / dx as a value. */
export function geluSlope(x: Value): Value {
  const t = bend(x);
  const inner = x.mul(x).fma(3 * CUBIC * ROOT, ROOT); // d/dx of tanh's argument
  const sech2 = t.mul(t).neg().add(1);
  return t.add(1).mul(0.5).add(x.mul(0.5).mul(sech2).mul(inner));
}

const forward = pointwise("gelu", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", geluValue(x)) }));
const gradient = savedSlope("gelu gradient", geluSlope);

/**
 *   y = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
 *
 * @param precision  in which format x is kept for the backward pass; default as it is.
 * @source Hendrycks and Gimpel 2016, Gaussian error linear units; the tanh form is the one GPT-2 uses.
 */
export function gelu(x: Tensor, precision: LayerPrecision | null = null): Tensor {
  const saved = saveInput(x, precision);
  const { tape } = x.device;
  const y = mapOver(forward, x, x, tape.isGiven(x) && !saved.reads.includes(x), { x });
  return tape.record([x], y, saved.made, gradient(x, saved), saved.reads);
}
