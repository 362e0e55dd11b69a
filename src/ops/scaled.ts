/** A tensor times a number. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { map } from "./pointwise-op.ts";

const kernel = pointwise("scaled", { x: element("f32") }, { factor: "f32" }, ({ x, factor }) => ({
  y: output("f32", x.mul(factor)),
}));

/** y = c x;   dx = c dy */
export function scaled(x: Tensor, c: number): Tensor {
  const times = (input: Tensor): Tensor => map(kernel, input, { x: input }, { factor: c });
  return x.device.tape.record([x], times(x), [], (dy) => [times(dy)], []);
}
