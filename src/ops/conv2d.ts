/** Convolutions of images, their operands in the formats of a precision policy, forward and backward. */
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import {
  convGeometry,
  pixelsOf,
  type ConvGeometry,
  type ConvOptions,
  type ImageShape,
} from "./conv-geometry.ts";
import { convolve, convolveInput, convolveWeights } from "./conv-products.ts";
import { linear } from "./linear.ts";
import type { LayerPrecision } from "./operand.ts";
import { weighted } from "./weighted.ts";

/** A batch of images as operations pass it on: its pixels as a matrix, and its sizes. */
export interface Images {
  /** [batch · height · width, channels] */
  readonly pixels: Tensor;
  readonly shape: ImageShape;
}

/** Whether a convolution is a linear layer on each pixel. */
const isPointwise = ({ kernel: [height, width], stride, padding, groups }: ConvGeometry): boolean =>
  height === 1 && width === 1 && stride === 1 && padding[0] + padding[1] === 0 && groups === 1;

/**
 *   y[n, oy, ox, o] = b[o] + Σ over ky, kx, c of x[n, oy·s + ky·d - p, ox·s + kx·d - p, c] · w[o, ky, kx, c]
 *
 * Patches are gathered while they are packed: no matrix of patches exists. Operands in the formats of the policy, see
 * `weighted`; blocks run along the sums: (ky, kx, c) of patches and weights, (ky, kx, o) and pixels in the backward pass.
 * Where they cannot be made while patches are packed (stochastic rounding, NVFP4) and do not divide the channels, they run
 * along the channels of a pixel, and products are of float32.
 *
 * @param w  [output channels, kernel height · kernel width · input channels of a group]
 * @param b  [output channels] or null
 * @throws ShapeError when the window does not fit, or w is of another size.
 */
export function conv2d(
  { pixels, shape }: Images,
  w: Tensor,
  b: Tensor | null,
  options: ConvOptions,
  precision: LayerPrecision,
): Images {
  const geometry = convGeometry(shape, w.shape[0], options);
  expectShape("conv2d", pixels, pixelsOf(shape), shape.channels);
  expectShape("conv2d's weight", w, geometry.output.channels, geometry.depth);
  if (isPointwise(geometry)) return { pixels: linear(pixels, w, b, precision), shape: geometry.output };
  const y = weighted(pixels, w, b, precision, {
    roundWhilePacking: true,
    roundWeightWhilePacking: true,
    forward: (x, weight, bias) => convolve(x, weight, bias, geometry),
    input: (dy, weight) => convolveInput(dy, weight, geometry),
    weight: (dy, x) => convolveWeights(dy, x, geometry),
  });
  return { pixels: y, shape: geometry.output };
}
