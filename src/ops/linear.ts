/** The linear layer, its operands in the formats of a precision policy, forward and backward. */
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { product } from "./product.ts";
import { weighted, type WeightedProducts } from "./weighted.ts";

/** Its products, on operands in any encoding. */
export const linearProducts: WeightedProducts = {
  roundWhilePacking: true,
  roundWeightWhilePacking: false,
  forward: (x, w, bias) => product({ ...x, transposed: false }, { tensor: w, transposed: true }, bias),
  input: (dy, w) => product({ ...dy, transposed: false }, { ...w, transposed: false }),
  weight: (dy, x) => product({ ...dy, transposed: true }, { ...x, transposed: false }),
};

/**
 *   y = x · wᵀ + b;   dx = dy · w,  dw = dyᵀ · x,  db = Σ dy over rows
 *
 * Operands in the formats of the policy: see {@link weighted}.
 *
 * @param x  [rows, in]
 * @param w  [out, in]
 * @param b  [out] or null
 * @returns [rows, out]
 */
export function linear(x: Tensor, w: Tensor, b: Tensor | null, precision: LayerPrecision): Tensor {
  expectShape("linear's weight", w, null, null);
  expectShape("linear", x, null, w.shape[1]);
  return weighted(x, w, b, precision, linearProducts);
}
