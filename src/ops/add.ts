/** Addition: the residual connection. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output } from "../kernels/signature.ts";
import { ShapeError, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { map } from "./pointwise-op.ts";

const kernel = pointwise("add", { a: element("f32"), b: element("f32") }, {}, ({ a, b }) => ({
  y: output("f32", a.add(b)),
}));

/**
 *   y = a + b;   da = dy, db = dy
 *
 * @param a  any shape.
 * @param b  the same number of elements.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  if (sizeOf(a.shape) !== sizeOf(b.shape)) {
    throw new ShapeError(`logrung: add of [${a.shape.join(", ")}] and [${b.shape.join(", ")}]`);
  }
  return a.device.tape.record([a, b], map(kernel, a, { a, b }), [], (dy) => [dy, dy], []);
}
