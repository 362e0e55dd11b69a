/** Images enlarged by repeating pixels. */
import { gather } from "../kernels/gather.ts";
import { element, gathered, output } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { pixelsOf, type ImageShape } from "./conv-geometry.ts";

const take = gather("upsample", "gather", { source: gathered("f32") }, {}, ({ source }) =>
  output("f32", source),
);
const takeMore = gather(
  "upsample gradient",
  "gather",
  { source: gathered("f32"), before: element("f32") },
  {},
  ({ source, before }) => output("f32", before.add(source)),
);

/** Sizes after enlarging. */
export const upsampledShape = (shape: ImageShape, factor: number): ImageShape => ({
  ...shape,
  height: shape.height * factor,
  width: shape.width * factor,
});

/**
 *   y[n, y, x, c] = x[n, ⌊y / factor⌋, ⌊x / factor⌋, c];   dx = Σ dy over the pixels it became
 *
 * @param x       [batch · height · width, channels]
 * @param factor  a positive integer
 * @returns       [batch · height · width · factor², channels]
 */
export function upsampleNearest(x: Tensor, shape: ImageShape, factor: number): Tensor {
  expectShape("upsampleNearest", x, pixelsOf(shape), shape.channels);
  if (!Number.isInteger(factor) || factor < 1)
    throw new RangeError(`logrung: upsampling by ${factor}, wants a positive integer`);
  const { device } = x;
  const large = upsampledShape(shape, factor);
  const source = Int32Array.from({ length: pixelsOf(large) }, (_, i) => {
    const [row, column] = [Math.floor(i / large.width), i % large.width];
    return Math.floor(row / factor) * shape.width + Math.floor(column / factor);
  });
  const y = device.empty([source.length, shape.channels]);
  const index = device.tensor(source, [source.length]);
  const sizes = { rows: source.length, columns: shape.channels };
  device.run(take, { inputs: { source: x, index }, outputs: { out: y }, sizes });
  device.free(index);
  return device.tape.record([x], y, [], (dy) => [collect(dy, shape, factor)]);
}

/** Σ over the factor² copies of each pixel, one place of the square after the other. */
function collect(dy: Tensor, shape: ImageShape, factor: number): Tensor {
  const { device } = dy;
  const width = shape.width * factor;
  const sizes = { rows: pixelsOf(shape), columns: shape.channels };
  let sum: Tensor | null = null;
  for (let place = 0; place < factor * factor; place++) {
    const [down, right] = [Math.floor(place / factor), place % factor];
    const at = Int32Array.from({ length: sizes.rows }, (_, i) => {
      const [row, column] = [Math.floor(i / shape.width), i % shape.width];
      return (row * factor + down) * width + column * factor + right;
    });
    const index = device.tensor(at, [at.length]);
    const out: Tensor = device.empty([sizes.rows, sizes.columns]);
    if (sum === null) device.run(take, { inputs: { source: dy, index }, outputs: { out }, sizes });
    else {
      device.run(takeMore, { inputs: { source: dy, index, before: sum }, outputs: { out }, sizes });
      device.free(sum);
    }
    device.free(index);
    sum = out;
  }
  return sum ?? dy;
}
