/** The Gaussian error linear unit by its definition, as ViT and BERT use it; GPT-2's form is in `gelu.ts`. */
import { pointwise } from "../kernels/pointwise.ts";
import type { Value } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { mapOver } from "./pointwise-op.ts";
import { saveInput } from "./saved.ts";
import { savedSlope } from "./saved-slope.ts";

/** The standard normal distribution function. */
const distribution = (x: Value): Value => x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);

/** Its density. */
const density = (x: Value): Value =>
  x
    .mul(x)
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));

const forward = pointwise("exact gelu", { x: element("f32") }, {}, ({ x }) => ({
  y: output("f32", x.mul(distribution(x))),
}));
const gradient = savedSlope("exact gelu gradient", (x) => x.fma(density(x), distribution(x)));

/**
 *   y = x Φ(x);   dx = dy · (Φ(x) + x φ(x))
 *
 * @param precision  in which format x is kept for the backward pass; default as it is.
 * @source Hendrycks and Gimpel 2016, Gaussian error linear units.
 */
export function exactGelu(x: Tensor, precision: LayerPrecision | null = null): Tensor {
  const saved = saveInput(x, precision);
  const { tape } = x.device;
  const y = mapOver(forward, x, x, tape.isGiven(x) && !saved.reads.includes(x), { x });
  return tape.record([x], y, saved.made, gradient(x, saved), saved.reads);
}
