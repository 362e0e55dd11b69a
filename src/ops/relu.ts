/** The rectified linear unit. */
import { pointwise } from "../kernels/pointwise.ts";
import { f32, select, u32 } from "../kernels/program.ts";
import { element, output } from "../kernels/signature.ts";
import { INT32, sizeOf, type Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { mapOver } from "./pointwise-op.ts";

const forward = pointwise("relu", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x.max(0)) }));
const gradient = pointwise("relu gradient", { y: element("f32"), dy: element("f32") }, {}, ({ y, dy }) => ({
  y: output("f32", select(y.gt(0), dy, f32(0))),
}));

/** Whether an element is positive, as a byte. */
const positive = pointwise("relu mask", { y: element("f32") }, {}, ({ y }) => ({
  mask: output("u8", select(y.gt(0), u32(1), u32(0))),
}));
const masked = pointwise(
  "relu gradient by mask",
  { mask: element("u8"), dy: element("f32") },
  {},
  (scope) => ({
    y: output("f32", select(scope.mask.ne(0), scope.dy, f32(0))),
  }),
);

/**
 *   y = max(x, 0);  dx = dy where y > 0, else 0
 *
 * @param precision  where its policy has a format for what is kept, a byte for each element is kept in place of y, which says
 *   all that the backward pass asks. Default y, which a product may keep anyway.
 */
export function relu(x: Tensor, precision: LayerPrecision | null = null): Tensor {
  const { device } = x;
  const y = mapOver(forward, x, x, device.tape.isGiven(x), { x });
  const keepsMask =
    precision !== null && precision.policy.saved !== null && x.tracked && device.tape.recording;
  if (!keepsMask)
    return device.tape.record([x], y, [], (dy, owned) => [mapOver(gradient, x, dy, owned, { y, dy })], [y]);
  const size = sizeOf(x.shape);
  const mask = device.empty([Math.ceil(size / 4)], INT32); // bytes, as whole words
  device.run(positive, { inputs: { y }, outputs: { mask }, sizes: { rows: 1, columns: size } });
  return device.tape.record([x], y, [mask], (dy, owned) => [mapOver(masked, x, dy, owned, { mask, dy })], []);
}
