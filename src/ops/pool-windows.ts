/** Windows of pooling: their sizes, tables of what they look at, and kernels run table after table. */
import type { gather } from "../kernels/gather.ts";
import type { Device } from "../tensor/device.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { convGeometry, pixelsOf, type ConvGeometry, type ImageShape } from "./conv-geometry.ts";

export interface PoolOptions {
  /** Height and width of the window. */
  readonly kernel: readonly [number, number];
  /** Default: the window's height, so that windows lie side by side. */
  readonly stride?: number;
  /** Places around the image that no window takes anything from. Default 0. */
  readonly padding?: number;
}

/** Rows of another matrix to look at, for each row of this one; `keep` is 0 where there is none. */
export interface Lookup {
  readonly index: Tensor;
  readonly keep: Tensor;
  /** Of a window that covers a pixel: which of its places the pixel is. */
  readonly place: Tensor;
}

/** For each place of the window the pixels of x; for each overlap the windows that cover a pixel. */
export interface PoolTables {
  readonly taps: readonly Lookup[];
  readonly covers: readonly Lookup[];
}

const known = new WeakMap<Device, Map<string, PoolTables>>();

/** Tables of a geometry on a device, made once. */
export function poolTables(device: Device, geometry: ConvGeometry): PoolTables {
  const ofDevice = known.get(device) ?? new Map<string, PoolTables>();
  known.set(device, ofDevice);
  const { batch, height, width } = geometry.input;
  const key = JSON.stringify([batch, height, width, geometry.kernel, geometry.stride, geometry.padding]);
  const found = ofDevice.get(key) ?? makeTables(device, geometry);
  ofDevice.set(key, found);
  return found;
}

function makeTables(
  device: Device,
  { input, output: out, kernel, stride, padding }: ConvGeometry,
): PoolTables {
  const count = kernel[0] * kernel[1];
  const taps = Array.from({ length: count }, () => new Int32Array(pixelsOf(out)).fill(-1));
  const covers: { windows: Int32Array; places: Int32Array }[] = [];
  const covered = new Uint16Array(pixelsOf(input));
  for (let window = 0; window < pixelsOf(out); window++) {
    const [n, oy, ox] = placeOf(window, out);
    for (let tap = 0; tap < count; tap++) {
      const y = oy * stride - padding[0] + Math.floor(tap / kernel[1]);
      const x = ox * stride - padding[1] + (tap % kernel[1]);
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
/** Rows and columns of a result. */
export type Sizes = { readonly rows: number; readonly columns: number };
type Inputs = Readonly<Record<string, Tensor>>;
type Kernel = ReturnType<typeof gather>;

/** Runs one kernel for each table, each reading what the one before made as `before`. `sizes` are those of the result. */
export function chain(
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

/** The geometry of a pool. @throws ShapeError when x or the window does not fit. */
export function poolGeometry(x: Tensor, shape: ImageShape, options: PoolOptions): ConvGeometry {
  expectShape("pooling", x, pixelsOf(shape), shape.channels);
  const { kernel, stride = kernel[0], padding = 0 } = options;
  return convGeometry(shape, shape.channels, { kernel, stride, padding });
}
