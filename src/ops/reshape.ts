/** Another shape for the same memory. */
import { viewAs, type Tensor } from "../tensor/tensor.ts";

/** y = x under another shape of as many elements; no copy. @throws ShapeError when the numbers differ. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return x.device.tape.record([x], viewAs(x, shape), [], (dy) => [viewAs(dy, x.shape)]);
}
