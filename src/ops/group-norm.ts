/** Group normalisation of images. */
import { constantRow } from "../tensor/constants.ts";
import { expectShape, ShapeError, type Tensor } from "../tensor/tensor.ts";
import { affine } from "./affine.ts";
import { pixelsOf, type ImageShape } from "./conv-geometry.ts";
import { layerNorm } from "./layer-norm.ts";
import { inverse, permutation, permuteRows, type Permutation } from "./permute-rows.ts";

/** From [image, pixel, group] to [image, group, pixel], rows of the channels of a group. */
function groupsFirst({ batch, height, width }: ImageShape, groups: number): Permutation {
  const pixels = height * width;
  return permutation(`groups first ${batch} ${pixels} ${groups}`, () =>
    Int32Array.from({ length: batch * pixels * groups }, (_, row) => {
      const [n, rest] = [Math.floor(row / (groups * pixels)), row % (groups * pixels)];
      return (n * pixels + (rest % pixels)) * groups + Math.floor(rest / pixels);
    }),
  );
}

/**
 *   y = (x - mean) / √(variance + ε) · gain + bias, mean and variance over the pixels and channels of a group in one image
 *
 * @param x       [batch · height · width, channels]
 * @param gain    [channels]
 * @param bias    [channels]
 * @param groups  of adjacent channels; they must divide them.
 * @param epsilon  ε; default 1e-5.
 * @source Wu and He 2018, Group normalization.
 */
export function groupNorm(
  x: Tensor,
  shape: ImageShape,
  gain: Tensor,
  bias: Tensor,
  groups: number,
  epsilon = 1e-5,
): Tensor {
  expectShape("groupNorm", x, pixelsOf(shape), shape.channels);
  if (shape.channels % groups !== 0)
    throw new ShapeError(`logrung: groupNorm of ${shape.channels} channels in ${groups} groups`);
  const { device } = x;
  const order = groupsFirst(shape, groups);
  const width = shape.channels / groups;
  const length = shape.height * shape.width * width;
  const [ones, zeros] = [constantRow(device, 1, length), constantRow(device, 0, length)];
  const apart = permuteRows(x, order, width, [shape.batch * groups, length]);
  const normal = layerNorm(apart, ones, zeros, epsilon);
  return affine(permuteRows(normal, inverse(order), width, x.shape), gain, bias);
}
