/** Differentiable functions of single elements, described by the function and its slope. */
import { pointwise } from "../kernels/pointwise.ts";
import type { Value } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { map, mapOver } from "./pointwise-op.ts";

/**
 *   y = f(x);   dx = dy · f′
 *
 * @param value  f.
 * @param slope  f′, from x and y.
 */
export function activation(
  name: string,
  value: (x: Value) => Value,
  slope: (x: Value, y: Value) => Value,
): (x: Tensor) => Tensor {
  const forward = pointwise(name, { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", value(x)) }));
  const inputs = { x: element("f32"), y: element("f32"), dy: element("f32") };
  const gradient = pointwise(`${name} gradient`, inputs, {}, ({ x, y, dy }) => ({
    y: output("f32", dy.mul(slope(x, y))),
  }));
  return (x) => {
    const y = map(forward, x, { x });
    return x.device.tape.record([x], y, [], (dy, owned) => [mapOver(gradient, x, dy, owned, { x, y, dy })]);
  };
}
