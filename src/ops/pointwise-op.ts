/** Runs pointwise kernels over whole tensors. */
import type { PointwiseKernel } from "../kernels/pointwise.ts";
import { FLOAT32, sizeOf, type Encoding, type Tensor } from "../tensor/tensor.ts";

/**
 * A new tensor from a pointwise kernel with one output `y`, element by element over `like`'s shape.
 *
 * @param inputs  tensors of `like`'s size, or the scalars and tables the kernel declares.
 */
export function map(
  kernel: PointwiseKernel,
  like: Tensor,
  inputs: Readonly<Record<string, Tensor>>,
  uniforms: Readonly<Record<string, number>> = {},
  encoding: Encoding = FLOAT32,
): Tensor {
  const y = like.device.empty(like.shape, encoding);
  const sizes = { rows: 1, columns: sizeOf(like.shape) };
  like.device.run(kernel, { inputs, outputs: { y }, uniforms, sizes });
  return y;
}

/**
 * The same, written over a tensor of `like`'s size where that may be: the largest tensors of a pass then need no second copy.
 *
 * @param target  one of the inputs, read at the element that is written alone.
 * @param may     whether nothing reads it afterwards.
 */
export function mapOver(
  kernel: PointwiseKernel,
  like: Tensor,
  target: Tensor,
  may: boolean,
  inputs: Readonly<Record<string, Tensor>>,
  uniforms: Readonly<Record<string, number>> = {},
): Tensor {
  if (!may) return map(kernel, like, inputs, uniforms);
  const sizes = { rows: 1, columns: sizeOf(like.shape) };
  target.device.run(kernel, { inputs, outputs: { y: target }, uniforms, sizes });
  return { ...target, shape: like.shape, tracked: false };
}
