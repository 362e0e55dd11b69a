/** Softplus, a smooth rectifier. */
import type { Value } from "../kernels/program.ts";
import { activation } from "./activation.ts";
import { sigmoidValue } from "./sigmoid.ts";

/** log(1 + eˣ) = max(x, 0) + log(1 + e^-|x|): no overflow. */
export const softplusValue = (x: Value): Value => x.abs().neg().exp().add(1).log().add(x.max(0));

/** y = log(1 + eˣ);  dx = dy · sigmoid(x). */
export const softplus = activation("softplus", softplusValue, (x) => sigmoidValue(x));
