/** Pooling of images: maximum, average, and the average of whole images. */
import type { BufferSlice } from "../kernels/backend.ts";
import { gather } from "../kernels/gather.ts";
import { gemm } from "../kernels/gemm.ts";
import { f32, select, u32 } from "../kernels/program.ts";
import { element, gathered, output, perRow } from "../kernels/signature.ts";
import type { Device } from "../tensor/device.ts";
import { expectShape, INT32, ShapeError, slice, type Tensor } from "../tensor/tensor.ts";
import { convGeometry, pixelsOf, type ConvGeometry, type ImageShape } from "./conv-geometry.ts";
import { laterMaximum, MOST_TAPS, NO_PLACE, takeFirst, windowKernels } from "./max-pool-kernels.ts";

export interface PoolOptions {
  /** Height and width of the window. */
  readonly kernel: readonly [number, number];
  /** Default: the window's height, so that windows lie side by side. */
  readonly stride?: number;
  /** Places around the image that no window takes anything from. Default 0. */
  readonly padding?: number;
}

/** Rows of another matrix to look at, for each row of this one; `keep` is 0 where there is none. */
interface Lookup {
  readonly index: Tensor;
  readonly keep: Tensor;
  /** Of a window that covers a pixel: which of its places the pixel is. */
  readonly place: Tensor;
}

/** For each place of the window the pixels of x; for each overlap the windows that cover a pixel. */
interface Tables {
  readonly taps: readonly Lookup[];
  readonly covers: readonly Lookup[];
}

const known = new WeakMap<Device, Map<string, Tables>>();

function tablesOf(device: Device, geometry: ConvGeometry): Tables {
  const ofDevice = known.get(device) ?? new Map<string, Tables>();
  known.set(device, ofDevice);
  const { batch, height, width } = geometry.input;
  const key = JSON.stringify([batch, height, width, geometry.kernel, geometry.stride, geometry.padding]);
  const found = ofDevice.get(key) ?? makeTables(device, geometry);
  ofDevice.set(key, found);
  return found;
}

function makeTables(device: Device, { input, output: out, kernel, stride, padding }: ConvGeometry): Tables {
  const count = kernel[0] * kernel[1];
  const taps = Array.from({ length: count }, () => new Int32Array(pixelsOf(out)).fill(-1));
  const covers: { windows: Int32Array; places: Int32Array }[] = [];
  const covered = new Uint16Array(pixelsOf(input));
  for (let window = 0; window < pixelsOf(out); window++) {
    const [n, oy, ox] = placeOf(window, out);
    for (let tap = 0; tap < count; tap++) {
      const y = oy * stride - padding + Math.floor(tap / kernel[1]);
      const x = ox * stride - padding + (tap % kernel[1]);
      if (y < 0 || y >= input.height || x < 0 || x >= input.width) continue;
      const pixel = (n * input.height + y) * input.width + x;
      taps[tap][window] = pixel;
      const cover = covered[pixel]++;
      covers[cover] ??= {
        windows: new Int32Array(pixelsOf(input)).fill(-1),
        places: new Int32Array(pixelsOf(input)),
      };
      covers[cover].windows[pixel] = window;
      covers[cover].places[pixel] = tap;
    }
  }
  return {
    taps: taps.map((pixels, tap) => lookup(device, pixels, new Int32Array(pixels.length).fill(tap))),
    covers: covers.map(({ windows, places }) => lookup(device, windows, places)),
  };
}

function placeOf(pixel: number, { height, width }: ImageShape): readonly [number, number, number] {
  const row = Math.floor(pixel / width);
  return [Math.floor(row / height), row % height, pixel % width];
}

function lookup(device: Device, rows: Int32Array, places: Int32Array): Lookup {
  const kept = (data: Int32Array | Float32Array): Tensor => device.keep(device.tensor(data, [data.length]));
  return {
    index: kept(rows.map((row) => Math.max(0, row))),
    keep: kept(Float32Array.from(rows, (row) => (row < 0 ? 0 : 1))),
    place: kept(places),
  };
}

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

const addScaled = gather(
  "add scaled rows",
  "gather",
  { source: gathered("f32"), keep: perRow("f32"), before: element("f32") },
  { share: "f32" },
  ({ source, keep, before, share }) =>
    output("f32", before.add(select(keep.ne(0), source.mul(share), f32(0)))),
);

const zeros = gather("zeros", "gather", { keep: perRow("f32") }, {}, ({ keep }) =>
  output("f32", keep.mul(0)),
);

type Sizes = { readonly rows: number; readonly columns: number };
type Inputs = Readonly<Record<string, Tensor>>;
type Kernel = ReturnType<typeof gather>;

/** Runs one kernel for each table, each reading what the one before made as `before`. `sizes` are those of the result. */
function chain(
  first: { readonly kernel: Kernel; readonly table: Lookup; readonly inputs: Inputs },
  next: { readonly kernel: Kernel; readonly tables: readonly Lookup[]; readonly inputs: Inputs },
  sizes: Sizes,
  make: () => Tensor,
  uniforms: Readonly<Record<string, number>> = {},
): Tensor {
  const step = (kernel: Kernel, { index, keep, place }: Lookup, inputs: Inputs): Tensor => {
    const out = make();
    const own = Object.hasOwn(kernel.inputs, "place") ? { place } : {};
    out.device.run(kernel, { inputs: { index, keep, ...own, ...inputs }, outputs: { out }, sizes, uniforms });
    return out;
  };
  return next.tables.reduce(
    (before, table) => {
      const out = step(next.kernel, table, { ...next.inputs, before });
      out.device.free(before);
      return out;
    },
    step(first.kernel, first.table, first.inputs),
  );
}

/** Sizes of what pooling makes of images. @throws ShapeError when the window does not fit. */
export function poolShape(
  shape: ImageShape,
  { kernel, stride = kernel[0], padding = 0 }: PoolOptions,
): ImageShape {
  return convGeometry(shape, shape.channels, { kernel, stride, padding }).output;
}

function geometryOf(x: Tensor, shape: ImageShape, options: PoolOptions): ConvGeometry {
  expectShape("pooling", x, pixelsOf(shape), shape.channels);
  const { kernel, stride = kernel[0], padding = 0 } = options;
  return convGeometry(shape, shape.channels, { kernel, stride, padding });
}

/** The places of windows that all lie inside the image: x from the offset of each on. Null where some do not. */
function insideTaps(x: Tensor, { input, kernel, padding }: ConvGeometry): BufferSlice[] | null {
  const count = kernel[0] * kernel[1];
  if (padding > 0 || count > MOST_TAPS) return null;
  const { buffer, offset } = slice(x);
  return Array.from({ length: count }, (_, tap) => {
    const pixels = Math.floor(tap / kernel[1]) * input.width + (tap % kernel[1]);
    return { buffer, offset: offset + 4 * pixels * input.channels };
  });
}

/** Runs a kernel that reads all places of a window at once. */
function overWindows(
  kernel: Kernel,
  taps: readonly BufferSlice[],
  { index }: Lookup,
  inputs: Inputs,
  sizes: Sizes,
  out: Tensor,
): Tensor {
  const places = Object.fromEntries(taps.map((tap, i) => [`tap${i}`, tap]));
  out.device.run(kernel, { inputs: { index, ...places, ...inputs }, outputs: { out }, sizes });
  return out;
}

/** The maximum of each window. */
function maxima(x: Tensor, geometry: ConvGeometry, [first, ...others]: Tables["taps"], sizes: Sizes): Tensor {
  const make = (): Tensor => x.device.empty([sizes.rows, sizes.columns]);
  const inside = insideTaps(x, geometry);
  if (inside) return overWindows(windowKernels(inside.length).maximum, inside, first, {}, sizes, make());
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
  [first, ...others]: Tables["taps"],
  sizes: Sizes,
): Tensor {
  const make = (): Tensor => x.device.empty([Math.ceil((sizes.rows * sizes.columns) / 4)], INT32);
  const inside = insideTaps(x, geometry);
  if (inside) return overWindows(windowKernels(inside.length).place, inside, first, { top }, sizes, make());
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
export function maxPool(x: Tensor, shape: ImageShape, options: PoolOptions): Tensor {
  const { device } = x;
  const geometry = geometryOf(x, shape, options);
  const { taps, covers } = tablesOf(device, geometry);
  const { channels } = shape;
  if (taps.length > NO_PLACE)
    throw new ShapeError(`logrung: maxPool of windows of ${taps.length} places, wants at most ${NO_PLACE}`);
  const windows = { rows: pixelsOf(geometry.output), columns: channels };
  const y = maxima(x, geometry, taps, windows);
  if (!x.tracked || !device.tape.recording) return y;
  const places = placesOf(x, y, geometry, taps, windows);
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

/**
 *   y[n, oy, ox, c] = Σ over the window of x / places of the window;   zeros of the padding count
 *
 * @param x      [batch · height · width, channels]
 * @returns      [batch · output height · output width, channels]
 */
export function averagePool(x: Tensor, shape: ImageShape, options: PoolOptions): Tensor {
  const { device } = x;
  const geometry = geometryOf(x, shape, options);
  const { taps, covers } = tablesOf(device, geometry);
  const share = { share: 1 / taps.length };
  const sum = (source: Tensor, tables: readonly Lookup[], out: readonly number[]): Tensor =>
    chain(
      { kernel: zeros, table: tables[0], inputs: {} },
      { kernel: addScaled, tables, inputs: { source } },
      { rows: out[0], columns: out[1] },
      () => device.empty(out),
      share,
    );
  const y = sum(x, taps, [pixelsOf(geometry.output), shape.channels]);
  return device.tape.record([x], y, [], (dy) => [sum(dy, covers, x.shape)], []);
}

const weighted = gemm("average of images", "f32", "f32");

/**
 *   y[n, c] = mean over the pixels of image n of x[·, c]
 *
 * @param x  [batch · height · width, channels]
 * @returns  [batch, channels]
 */
export function globalAveragePool(x: Tensor, shape: ImageShape): Tensor {
  expectShape("globalAveragePool", x, pixelsOf(shape), shape.channels);
  const { device } = x;
  const { batch, channels } = shape;
  const pixels = shape.height * shape.width;
  const share = device.tensor(new Float32Array(pixels).fill(1 / pixels), [pixels]);
  const y = device.empty([batch, channels]);
  device.run(weighted, {
    inputs: { a: share, b: x },
    outputs: { c: y },
    sizes: {
      outer: batch,
      m: 1,
      n: channels,
      k: pixels,
      a: { row: pixels, column: 1 },
      b: { outer: pixels * channels, row: channels, column: 1 },
      c: { outer: channels, row: channels },
    },
  });
  return device.tape.record(
    [x],
    y,
    [share],
    (dy) => {
      const dx = device.empty(x.shape);
      device.run(weighted, {
        inputs: { a: share, b: dy },
        outputs: { c: dx },
        sizes: {
          outer: batch,
          m: pixels,
          n: channels,
          k: 1,
          a: { row: 1, column: 1 },
          b: { outer: channels, row: channels, column: 1 },
          c: { outer: pixels * channels, row: channels },
        },
      });
      return [dx];
    },
    [],
  );
}
