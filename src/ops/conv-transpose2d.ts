/** Transposed convolutions: what a convolution does to the gradient of its output, as a layer of its own. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perColumn } from "../kernels/signature.ts";
import { expectShape, ShapeError, type Tensor } from "../tensor/tensor.ts";
import {
  convGeometry,
  paddingOf,
  pixelsOf,
  type ConvGeometry,
  type ConvOptions,
  type ImageShape,
} from "./conv-geometry.ts";
import { convolve, convolveInput, convolveWeights } from "./conv-products.ts";
import type { Images } from "./conv2d.ts";
import type { LayerPrecision } from "./operand.ts";
import { weighted } from "./weighted.ts";

export interface ConvTransposeOptions extends ConvOptions {
  /** Pixels added at the lower and the right edge: several sizes of output fit one of input. Default 0. */
  readonly outputPadding?: number;
}

const addBias = pointwise(
  "transposed convolution bias",
  { y: element("f32"), bias: perColumn("f32") },
  {},
  ({ y, bias }) => ({ y: output("f32", y.add(bias)) }),
);

/**
 * The convolution that this one transposes: from the images that come out to those that go in.
 *
 *   size out = (size in - 1) · stride - 2 padding + dilation (kernel - 1) + output padding + 1
 *
 * @throws ShapeError when the output padding is no integer from 0 to below the stride, or an option or size does not fit the
 *   convolution.
 */
export function transposedGeometry(
  input: ImageShape,
  outChannels: number,
  options: ConvTransposeOptions,
): ConvGeometry {
  const { kernel, stride = 1, dilation = 1, outputPadding = 0 } = options;
  if (!Number.isInteger(outputPadding) || outputPadding < 0 || outputPadding >= stride)
    throw new ShapeError(
      `logrung: transposed convolution's output padding is ${outputPadding}, wants an integer from 0 to below the stride, ${stride}`,
    );
  const padding = paddingOf(options);
  const size = (length: number, axis: 0 | 1): number =>
    (length - 1) * stride - 2 * padding[axis] + dilation * (kernel[axis] - 1) + outputPadding + 1;
  const height = size(input.height, 0);
  const width = size(input.width, 1);
  const large = { batch: input.batch, height, width, channels: outChannels };
  return convGeometry(large, input.channels, options);
}

/**
 *   y[n, iy·s + ky·d - p, ix·s + kx·d - p, o] += x[n, iy, ix, c] · w[c, ky, kx, o],   y starting from the bias
 *
 * The transpose of `conv2d` as a linear map: forward is that one's input gradient, and the input's gradient its forward
 * pass. Operands in the formats of the policy, see `weighted`.
 *
 * @param w  [input channels, kernel height · kernel width · output channels of a group]
 * @param b  [output channels] or null
 * @throws ShapeError when the sizes do not fit, or w is of another size.
 */
export function convTranspose2d(
  { pixels, shape }: Images,
  w: Tensor,
  b: Tensor | null,
  options: ConvTransposeOptions,
  precision: LayerPrecision,
): Images {
  expectShape("convTranspose2d", pixels, pixelsOf(shape), shape.channels);
  expectShape("convTranspose2d's weight", w, shape.channels, null);
  const { kernel, groups = 1 } = options;
  const outChannels = (w.shape[1] / (kernel[0] * kernel[1])) * groups;
  const geometry = transposedGeometry(shape, outChannels, options);
  const y = weighted(pixels, w, b, precision, {
    roundWhilePacking: false,
    roundWeightWhilePacking: false,
    transposed: true,
    forward: (x, weight, bias) => withBias(convolveInput(x, { tensor: weight }, geometry), bias),
    input: (dy, weight) => convolve(dy, weight.tensor, null, geometry),
    weight: (dy, x) => convolveWeights({ tensor: x.tensor }, dy, geometry),
  });
  return { pixels: y, shape: geometry.input };
}

/** y with the bias of each column added in place. */
function withBias(y: Tensor, bias: Tensor | null): Tensor {
  if (!bias) return y;
  const sizes = { rows: y.shape[0], columns: y.shape[1] };
  y.device.run(addBias, { inputs: { y, bias }, outputs: { y }, sizes });
  return y;
}
