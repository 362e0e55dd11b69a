/** Sizes of a convolution, and the tables of offsets by which its products gather patches. */
import { ShapeError } from "../tensor/tensor.ts";

/** A batch of images; as a matrix [batch · height · width, channels], channels adjacent. */
export interface ImageShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

export interface ConvOptions {
  /** Height and width of the window. */
  readonly kernel: readonly [number, number];
  /** Pixels from one window to the next. Default 1. */
  readonly stride?: number;
  /** Zeros around the image: on all sides, or above and below, and left and right. Default 0. */
  readonly padding?: number | readonly [number, number];
  /** Pixels between the window's elements. Default 1. */
  readonly dilation?: number;
  /** Groups of channels that do not mix. Default 1. */
  readonly groups?: number;
}

/** A convolution of one size: from `input` to `output`, both [batch, height, width, channels]. */
export interface ConvGeometry extends Required<Omit<ConvOptions, "padding">> {
  /** Zeros above and below, and left and right. */
  readonly padding: readonly [number, number];
  readonly input: ImageShape;
  readonly output: ImageShape;
  /** Reduction length of one output: kernel height · width · input channels of a group. */
  readonly depth: number;
}

/** Zeros above and below, and left and right. */
export const paddingOf = ({ padding = 0 }: Pick<ConvOptions, "padding">): readonly [number, number] =>
  typeof padding === "number" ? [padding, padding] : padding;

/** Rows (pixels) of an image batch's matrix. */
export const pixelsOf = ({ batch, height, width }: ImageShape): number => batch * height * width;

/**
 * Output size: ⌊(size + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1.
 *
 * @throws ShapeError when channels do not divide by the groups, an option is no positive integer, or the window does not
 *   fit into the image.
 */
export function convGeometry(input: ImageShape, outChannels: number, options: ConvOptions): ConvGeometry {
  const { kernel, stride = 1, dilation = 1, groups = 1 } = options;
  const padding = paddingOf(options);
  const counts = { "kernel height": kernel[0], "kernel width": kernel[1], stride, dilation, groups };
  for (const [name, value] of Object.entries(counts))
    if (!Number.isInteger(value) || value < 1)
      throw new ShapeError(`logrung: convolution's ${name} is ${value}, wants a positive integer`);
  if (!padding.every((zeros) => Number.isInteger(zeros) && zeros >= 0))
    throw new ShapeError(`logrung: convolution's padding is ${padding.join(", ")}, wants integers ≥ 0`);
  if (input.channels % groups !== 0 || outChannels % groups !== 0)
    throw new ShapeError(
      `logrung: convolution from ${input.channels} to ${outChannels} channels in ${groups} groups: both must divide`,
    );
  const size = (length: number, axis: 0 | 1): number =>
    Math.floor((length + 2 * padding[axis] - dilation * (kernel[axis] - 1) - 1) / stride) + 1;
  const height = size(input.height, 0);
  const width = size(input.width, 1);
  if (height < 1 || width < 1) {
    const image = `${input.height}×${input.width}`;
    throw new ShapeError(
      `logrung: a ${kernel[0]}×${kernel[1]} window (dilation ${dilation}) in images of ${image}, padding ${padding.join(", ")}: ` +
        "it does not fit",
    );
  }
  const output = { batch: input.batch, height, width, channels: outChannels };
  const depth = (kernel[0] * kernel[1] * input.channels) / groups;
  return { input, output, kernel, stride, padding, dilation, groups, depth };
}

/** Offsets of a gathered operand, in elements. */
export interface Offsets {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Columns come in runs of so many adjacent elements. */
  readonly run: number;
}

/** An image batch made of the pixels of another, and zeros. */
export interface Spread {
  readonly height: number;
  readonly width: number;
  /** For each pixel of it the pixel it comes from, or -1 for zero. */
  readonly source: Int32Array;
}

/** An image with zeros around: pixel (y, x) of the result is pixel (y, x) - offset of the source, where that is inside it. */
export function surrounded(
  image: ImageShape,
  height: number,
  width: number,
  offset: readonly [number, number],
): Spread {
  const source = new Int32Array(image.batch * height * width).fill(-1);
  for (let n = 0; n < image.batch; n++)
    for (let y = 0; y < image.height; y++)
      for (let x = 0; x < image.width; x++)
        source[(n * height + y + offset[0]) * width + x + offset[1]] =
          (n * image.height + y) * image.width + x;
  return { height, width, source };
}

/** The input with its padding; null where there is none. */
export function paddedInput({ input, padding }: ConvGeometry): Spread | null {
  const [above, left] = padding;
  if (above === 0 && left === 0) return null;
  return surrounded(input, input.height + 2 * above, input.width + 2 * left, padding);
}

/** Windows over an image of `channels`: rows are window corners, columns (kernel row, kernel column, channel). */
function windows(
  image: {
    readonly batch: number;
    readonly height: number;
    readonly width: number;
    readonly channels: number;
  },
  places: { readonly height: number; readonly width: number; readonly stride: number },
  { kernel, dilation, groups }: ConvGeometry,
): Offsets {
  const { channels, width } = image;
  const rows = new Int32Array(image.batch * places.height * places.width);
  let at = 0;
  for (let n = 0; n < image.batch; n++)
    for (let y = 0; y < places.height; y++)
      for (let x = 0; x < places.width; x++)
        rows[at++] = ((n * image.height + y * places.stride) * width + x * places.stride) * channels;
  const ofGroup = channels / groups;
  const columns = Int32Array.from({ length: kernel[0] * kernel[1] * ofGroup }, (_, i) => {
    const tap = Math.floor(i / ofGroup);
    const [y, x] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
    return (y * dilation * width + x * dilation) * channels + (i % ofGroup);
  });
  // Taps beside each other are adjacent where nothing lies between them.
  const run = dilation === 1 && groups === 1 ? kernel[1] * channels : ofGroup;
  return { rows, columns, run };
}

/** Patches of the padded input: [pixels of the output, depth]. */
export function patchOffsets(geometry: ConvGeometry): Offsets {
  const { input, output, padding, stride } = geometry;
  const [height, width] = [input.height + 2 * padding[0], input.width + 2 * padding[1]];
  return windows({ ...input, height, width }, { ...output, stride }, geometry);
}
