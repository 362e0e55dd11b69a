/** Images enlarged by repeating pixels. */
import { gather } from "../kernels/gather.ts";
import { element, gathered, output } from "../kernels/signature.ts";
import type { Device } from "../tensor/device.ts";
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

/** Where pixels come from, and where their copies lie, one place of the square after the other. */
interface Tables {
  readonly source: Tensor;
  readonly copies: readonly Tensor[];
}

/** Tables of one size on a device, kept for its life: steps repeat the same few sizes. */
const known = new WeakMap<Device, Map<string, Tables>>();

function tablesOf(device: Device, shape: ImageShape, factor: number): Tables {
  const ofDevice = known.get(device) ?? new Map<string, Tables>();
  known.set(device, ofDevice);
  const { batch, height, width } = shape;
  const key = `${batch} ${height} ${width} ${factor}`;
  const tables = ofDevice.get(key) ?? newTables(device, shape, factor);
  ofDevice.set(key, tables);
  return tables;
}

function newTables(device: Device, shape: ImageShape, factor: number): Tables {
  const kept = (index: Int32Array): Tensor => device.keep(device.tensor(index, [index.length]));
  const wide = shape.width * factor;
  const source = Int32Array.from({ length: pixelsOf(shape) * factor ** 2 }, (_, i) => {
    const [row, column] = [Math.floor(i / wide), i % wide];
    return Math.floor(row / factor) * shape.width + Math.floor(column / factor);
  });
  const copies = Array.from({ length: factor ** 2 }, (_, place) => {
    const [down, right] = [Math.floor(place / factor), place % factor];
    return Int32Array.from({ length: pixelsOf(shape) }, (__, i) => {
      const [row, column] = [Math.floor(i / shape.width), i % shape.width];
      return (row * factor + down) * wide + column * factor + right;
    });
  });
  return { source: kept(source), copies: copies.map(kept) };
}

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
  const { source, copies } = tablesOf(device, shape, factor);
  const rows = pixelsOf(upsampledShape(shape, factor));
  const y = device.empty([rows, shape.channels]);
  const sizes = { rows, columns: shape.channels };
  device.run(take, { inputs: { source: x, index: source }, outputs: { out: y }, sizes });
  return device.tape.record([x], y, [], (dy) => [collect(dy, shape, copies)], []);
}

/** Σ over the copies of each pixel, one place of the square after the other. */
function collect(dy: Tensor, shape: ImageShape, copies: readonly Tensor[]): Tensor {
  const { device } = dy;
  const sizes = { rows: pixelsOf(shape), columns: shape.channels };
  const [first, ...others] = copies;
  let sum = device.empty([sizes.rows, sizes.columns]);
  device.run(take, { inputs: { source: dy, index: first }, outputs: { out: sum }, sizes });
  for (const index of others) {
    const out = device.empty([sizes.rows, sizes.columns]);
    device.run(takeMore, { inputs: { source: dy, index, before: sum }, outputs: { out }, sizes });
    device.free(sum);
    sum = out;
  }
  return sum;
}
