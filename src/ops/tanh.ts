/** The hyperbolic tangent. */
import { activation } from "./activation.ts";

/** y = tanh x;  dx = dy · (1 - y²). */
export const tanh = activation(
  "tanh",
  (x) => x.tanh(),
  (_, y) => y.mul(y).neg().add(1),
);
