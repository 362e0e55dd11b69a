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
 * The gradient of `like` from a pointwise kernel with one output `y` that reads `dy`: written over dy where that is the caller's
 * own, which spares the largest tensors of a backward pass a second copy.
 */
export function mapGradient(
  kernel: PointwiseKernel,
  like: Tensor,
  dy: Tensor,
  owned: boolean,
  inputs: Readonly<Record<string, Tensor>>,
  uniforms: Readonly<Record<string, number>> = {},
): Tensor {
  if (!owned) return map(kernel, like, inputs, uniforms);
  const sizes = { rows: 1, columns: sizeOf(like.shape) };
  dy.device.run(kernel, { inputs, outputs: { y: dy }, uniforms, sizes });
  return { ...dy, shape: like.shape };
}
