/** The logistic function and what is made of it. */
import type { Value } from "../kernels/program.ts";
import { activation } from "./activation.ts";

/** 1 / (1 + e^-x), by tanh: no overflow at either end. */
export const sigmoidValue = (x: Value): Value => x.mul(0.5).tanh().mul(0.5).add(0.5);

/** y = 1 / (1 + e⁻ˣ);  dx = dy · y (1 - y). */
export const sigmoid = activation("sigmoid", sigmoidValue, (_, y) => y.mul(y.neg().add(1)));

/**
 *   y = x · sigmoid(x)
 *
 * @source Hendrycks and Gimpel 2016, Gaussian error linear units (SiLU).
 */
export const silu = activation(
  "silu",
  (x) => x.mul(sigmoidValue(x)),
  (x, y) => {
    const s = sigmoidValue(x);
    return y.mul(s.neg().add(1)).add(s);
  },
);
