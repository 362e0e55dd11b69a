/** Maximum pooling of images, rectified or not. */
import type { BufferSlice } from "../kernels/backend.ts";
import { gather, type GatherKernel } from "../kernels/gather.ts";
import { f32, select, u32 } from "../kernels/program.ts";
import { element, gathered, output, perRow } from "../kernels/signature.ts";
import { INT32, ShapeError, slice, type Tensor } from "../tensor/tensor.ts";
import { pixelsOf, type ConvGeometry, type ImageShape } from "./conv-geometry.ts";
import { laterMaximum, MOST_TAPS, NO_PLACE, takeFirst, windowKernels } from "./max-pool-kernels.ts";
import type { LayerPrecision } from "./operand.ts";
import {
  chain,
  poolGeometry,
  poolTables,
  type Lookup,
  type PoolOptions,
  type PoolTables,
  type Sizes,
} from "./pool-windows.ts";
import { relu } from "./relu.ts";

const firstMaximum = gather(
  "max pool, first place",
  "gather",
  { source: gathered("f32"), keep: perRow("f32") },
  {},
  ({ source, keep }) => output("f32", select(keep.ne(0), source, f32(-Infinity))),
);

const nextMaximum = gather(
  "max pool",
  "gather",
  { source: gathered("f32"), keep: perRow("f32"), before: element("f32") },
  {},
  ({ source, keep, before }) => output("f32", select(keep.eq(0), before, laterMaximum(before, source))),
);

const firstPlace = gather(
  "max pool, which place is first",
  "gather",
  { source: gathered("f32"), keep: perRow("f32"), top: element("f32") },
  {},
  ({ source, keep, top }) => output("u8", select(keep.ne(0).and(source.eq(top)), u32(0), u32(NO_PLACE))),
);

const nextPlace = gather(
  "max pool, which place",
  "gather",
  { source: gathered("f32"), keep: perRow("f32"), top: element("f32"), before: element("u8"), place: perRow("u32") },
  {},
  ({ source, keep, top, before, place }) => {
    const here = before.eq(NO_PLACE).and(keep.ne(0)).and(source.eq(top));
    return output("u8", select(here, place, before));
  },
); // prettier-ignore

/** What a pixel gets from one window that covers it, on top of `before`. */
const takeMaximum = gather(
  "max pool gradient",
  "gather",
  { dy: gathered("f32"), top: gathered("u8"), keep: perRow("f32"), place: perRow("u32"), before: element("f32") },
  {},
  ({ dy, top, keep, place, before }) => {
    const here = keep.ne(0).and(top.eq(place));
    return output("f32", before.add(select(here, dy, f32(0))));
  },
); // prettier-ignore
/** The places of windows that all lie inside the image: x from the offset of each on. Null where some do not. */
function insideTaps(x: Tensor, { input, kernel, padding }: ConvGeometry): BufferSlice[] | null {
  const count = kernel[0] * kernel[1];
  if (padding[0] + padding[1] > 0 || count > MOST_TAPS) return null;
  const { buffer, offset } = slice(x);
  return Array.from({ length: count }, (_, tap) => {
    const pixels = Math.floor(tap / kernel[1]) * input.width + (tap % kernel[1]);
    return { buffer, offset: offset + 4 * pixels * input.channels };
  });
}

/** Runs a kernel that reads all places of a window at once. */
function overWindows(
  kernel: GatherKernel,
  taps: readonly BufferSlice[],
  { index }: Lookup,
  inputs: Readonly<Record<string, Tensor>>,
  sizes: Sizes,
  out: Tensor,
): Tensor {
  const places = Object.fromEntries(taps.map((tap, i) => [`tap${i}`, tap]));
  out.device.run(kernel, { inputs: { index, ...places, ...inputs }, outputs: { out }, sizes });
  return out;
}

/** The maximum of each window; rectified only where windows lie inside. */
function maxima(
  x: Tensor,
  geometry: ConvGeometry,
  [first, ...others]: PoolTables["taps"],
  sizes: Sizes,
  rectified: boolean,
): Tensor {
  const make = (): Tensor => x.device.empty([sizes.rows, sizes.columns]);
  const inside = insideTaps(x, geometry);
  if (inside)
    return overWindows(windowKernels(inside.length, rectified).maximum, inside, first, {}, sizes, make());
  const inputs = { source: x };
  return chain(
    { kernel: firstMaximum, table: first, inputs },
    { kernel: nextMaximum, tables: others, inputs },
    sizes,
    make,
  );
}

/** Which place of each window holds its maximum `top`: bytes, as whole words. */
function placesOf(
  x: Tensor,
  top: Tensor,
  geometry: ConvGeometry,
  [first, ...others]: PoolTables["taps"],
  sizes: Sizes,
  rectified: boolean,
): Tensor {
  const make = (): Tensor => x.device.empty([Math.ceil((sizes.rows * sizes.columns) / 4)], INT32);
  const inside = insideTaps(x, geometry);
  if (inside)
    return overWindows(windowKernels(inside.length, rectified).place, inside, first, { top }, sizes, make());
  const inputs = { source: x, top };
  return chain(
    { kernel: firstPlace, table: first, inputs },
    { kernel: nextPlace, tables: others, inputs },
    sizes,
    make,
  );
}

/**
 *   y[n, oy, ox, c] = max over the window of x;   dx goes to the first place that holds the maximum
 *
 * What is kept for the backward pass is one byte for each window: the place of its maximum.
 *
 * @param x      [batch · height · width, channels]
 * @returns      [batch · output height · output width, channels]; their sizes are those of {@link poolShape}
 * @throws ShapeError for windows of more than 255 places.
 */
export const maxPool = (x: Tensor, shape: ImageShape, options: PoolOptions): Tensor =>
  pooledMaximum(x, shape, options, false);

/**
 * The rectified maximum, max(0, {@link maxPool}), which is the maximum of what is rectified, in one pass: where it is 0, no
 * place is kept, and so none gets a gradient.
 *
 * @param precision  in which format is kept what says where it is positive, for windows that reach over the image; others
 *   need no more than the places.
 */
export function rectifiedMaxPool(
  x: Tensor,
  shape: ImageShape,
  options: PoolOptions,
  precision: LayerPrecision | null = null,
): Tensor {
  if (insideTaps(x, poolGeometry(x, shape, options)) !== null) return pooledMaximum(x, shape, options, true);
  const most = maxPool(x, shape, options);
  const y = relu(most, precision);
  x.device.tape.discard(most);
  return y;
}

function pooledMaximum(x: Tensor, shape: ImageShape, options: PoolOptions, rectified: boolean): Tensor {
  const { device } = x;
  const geometry = poolGeometry(x, shape, options);
  const { taps, covers } = poolTables(device, geometry);
  const { channels } = shape;
  if (taps.length > NO_PLACE)
    throw new ShapeError(`logrung: maxPool of windows of ${taps.length} places, wants at most ${NO_PLACE}`);
  const windows = { rows: pixelsOf(geometry.output), columns: channels };
  const y = maxima(x, geometry, taps, windows, rectified);
  if (!x.tracked || !device.tape.recording) return y;
  const places = placesOf(x, y, geometry, taps, windows, rectified);
  const [firstCover, ...otherCovers] = covers;
  const vjp = (dy: Tensor): [Tensor] => {
    const inputs = { dy, top: places };
    const dx = chain(
      { kernel: takeFirst, table: firstCover, inputs },
      { kernel: takeMaximum, tables: otherCovers, inputs },
      { rows: x.shape[0], columns: channels },
      () => device.empty(x.shape),
    );
    return [dx];
  };
  return device.tape.record([x], y, [places], vjp, []);
}
