/** The Gaussian error linear unit by its definition, as ViT and BERT use it; GPT-2's form is in `gelu.ts`. */
import type { Value } from "../kernels/program.ts";
import { activation } from "./activation.ts";

/** The standard normal distribution function. */
const distribution = (x: Value): Value => x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);

/** Its density. */
const density = (x: Value): Value =>
  x
    .mul(x)
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));

/**
 *   y = x Φ(x);   dx = dy · (Φ(x) + x φ(x))
 *
 * @source Hendrycks and Gimpel 2016, Gaussian error linear units.
 */
export const exactGelu = activation(
  "exact gelu",
  (x) => x.mul(distribution(x)),
  (x) => x.fma(density(x), distribution(x)),
);
