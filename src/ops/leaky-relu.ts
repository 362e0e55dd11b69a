/** The leaky rectified linear unit. */
import { f32, select } from "../kernels/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { activation } from "./activation.ts";

const bySlope = new Map<number, (x: Tensor) => Tensor>();

/**
 *   y = x where x > 0, else slope · x
 *
 * @param slope  below zero. Default 0.01.
 * @source Maas, Hannun and Ng 2013, Rectifier nonlinearities improve neural network acoustic models.
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  let op = bySlope.get(slope);
  if (!op) {
    op = activation(
      `leaky relu ${slope}`,
      (v) => select(v.gt(0), v, v.mul(slope)),
      (v) => select(v.gt(0), f32(1), f32(slope)),
    );
    bySlope.set(slope, op);
  }
  return op(x);
}
