/** The rectified linear unit. */
import { pointwise } from "../kernels/pointwise.ts";
import { f32, select } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { map } from "./pointwise-op.ts";

const forward = pointwise("relu", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x.max(0)) }));
const gradient = pointwise("relu gradient", { y: element("f32"), dy: element("f32") }, {}, ({ y, dy }) => ({
  y: output("f32", select(y.gt(0), dy, f32(0))),
}));

/** y = max(x, 0);  dx = dy where y > 0, else 0. */
export function relu(x: Tensor): Tensor {
  const y = map(forward, x, { x });
  return x.device.tape.record([x], y, [], (dy) => [map(gradient, x, { y, dy })], [y]);
}
