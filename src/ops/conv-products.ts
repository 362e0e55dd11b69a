/** The three products of a convolution, on tensors in any encoding; not recorded on the tape. */
import { gather } from "../kernels/gather.ts";
import { gemm } from "../kernels/gemm.ts";
import { f32, select } from "../kernels/program.ts";
import { gathered, output, perColumn, perRow } from "../kernels/signature.ts";
import type { BufferSlice } from "../kernels/backend.ts";
import type { Device } from "../tensor/device.ts";
import { slice, type Tensor } from "../tensor/tensor.ts";
import {
  gradientPatchOffsets,
  mirroredKernelOffsets,
  paddedInput,
  patchOffsets,
  pixelsOf,
  spreadGradient,
  type ConvGeometry,
  type Offsets,
  type Spread,
} from "./conv-geometry.ts";
import { dequantise } from "./quantise.ts";

const forward = gemm("convolution", "gathered", "f32");
const biased = gemm(
  "convolution with bias",
  "gathered",
  "f32",
  { bias: perColumn("f32") },
  {},
  (p, { bias }) => ({
    c: output("f32", p.add(bias)),
  }),
);
const ofWeights = gemm("convolution weight gradient", "f32", "gathered");
const ofInput = gemm("convolution input gradient", "gathered", "gathered");

/** Copies pixels to new places; where `keep` is 0 there are zeros. */
const spreadPixels = gather(
  "spread pixels",
  "gather",
  { source: gathered("f32"), keep: perRow("f32") },
  {},
  ({ source, keep }) => output("f32", select(keep.ne(0), source, f32(0))),
);

/** Tables of one geometry on a device, kept for its life: steps repeat the same few geometries. */
interface Tables {
  readonly patches: DeviceOffsets;
  readonly padding: DeviceSpread | null;
  /** For the input's gradient; made when first asked for. */
  gradient: { patches: DeviceOffsets; kernel: DeviceOffsets; spread: DeviceSpread } | null;
}
interface DeviceOffsets {
  readonly rows: Tensor;
  readonly columns: Tensor;
  readonly run: number;
}
interface DeviceSpread {
  readonly index: Tensor;
  readonly keep: Tensor;
  readonly pixels: number;
}

const known = new WeakMap<Device, Map<string, Tables>>();

function tablesOf(device: Device, geometry: ConvGeometry): Tables {
  const ofDevice = known.get(device) ?? new Map<string, Tables>();
  known.set(device, ofDevice);
  const key = JSON.stringify(geometry);
  const found = ofDevice.get(key);
  if (found) return found;
  const padding = paddedInput(geometry);
  const tables: Tables = {
    patches: onDevice(device, patchOffsets(geometry)),
    padding: padding && spreadOnDevice(device, padding),
    gradient: null,
  };
  ofDevice.set(key, tables);
  return tables;
}

function gradientTables(device: Device, geometry: ConvGeometry): NonNullable<Tables["gradient"]> {
  const tables = tablesOf(device, geometry);
  tables.gradient ??= {
    patches: onDevice(device, gradientPatchOffsets(geometry)),
    kernel: onDevice(device, mirroredKernelOffsets(geometry)),
    spread: spreadOnDevice(device, spreadGradient(geometry)),
  };
  return tables.gradient;
}

function onDevice(device: Device, { rows, columns, run }: Offsets): DeviceOffsets {
  const place = (offsets: Int32Array): Tensor => device.keep(device.tensor(offsets, [offsets.length]));
  return { rows: place(rows), columns: place(columns), run };
}

function spreadOnDevice(device: Device, { source }: Spread): DeviceSpread {
  const keep = Float32Array.from(source, (pixel) => (pixel < 0 ? 0 : 1));
  return {
    index: device.keep(device.tensor(source.map((pixel) => Math.max(0, pixel)), [source.length])),
    keep: device.keep(device.tensor(keep, [keep.length])),
    pixels: source.length,
  };
} // prettier-ignore

/** Pixels at new places with zeros between and around: float32, in the step's memory. */
function spreadTo(x: Tensor, { index, keep, pixels }: DeviceSpread, channels: number): Tensor {
  const out = x.device.empty([pixels, channels]);
  const inputs = { source: x, keep, index };
  x.device.run(spreadPixels, { inputs, outputs: { out }, sizes: { rows: pixels, columns: channels } });
  return out;
}

/** Runs `body` on the float32 values of a tensor, which are freed after it where they had to be made. */
function withValues<T>(x: Tensor, body: (values: Tensor) => T): T {
  const values = dequantise(x);
  const result = body(values);
  if (values !== x) x.device.free(values);
  return result;
}

/** Runs `body` on the input as windows slide over it: with its padding. */
function withPadding<T>(x: Tensor, geometry: ConvGeometry, body: (padded: Tensor) => T): T {
  const { padding } = tablesOf(x.device, geometry);
  return withValues(x, (values) => {
    if (!padding) return body(values);
    const padded = spreadTo(values, padding, geometry.input.channels);
    const result = body(padded);
    x.device.free(padded);
    return result;
  });
}

/** From element `offset` on. */
const from = (tensor: Tensor, offset: number): BufferSlice => {
  const { buffer, offset: start } = slice(tensor);
  return { buffer, offset: start + 4 * offset };
};

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 *   y[n, oy, ox, o] = b[o] + Σ over ky, kx, c of x[n, oy·s + ky·d - p, ox·s + kx·d - p, c] · w[o, ky, kx, c]
 *
 * @param x  [pixels of the input, channels]
 * @param w  [output channels, kernel height · kernel width · input channels of a group]
 * @param b  [output channels] or null
 * @returns [pixels of the output, output channels]
 */
export function convolve(x: Tensor, w: Tensor, b: Tensor | null, geometry: ConvGeometry): Tensor {
  const { device } = x;
  const { input, output: out, groups, depth } = geometry;
  const { patches } = tablesOf(device, geometry);
  const y = device.empty([pixelsOf(out), out.channels]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const sizes = {
    m: pixelsOf(out),
    n: outGroup,
    k: depth,
    a: { row: 0, column: 0, run: patches.run },
    b: { row: 1, column: depth },
    c: { row: out.channels },
  };
  withPadding(x, geometry, (padded) =>
    withValues(w, (weights) => {
      for (const g of range(groups)) {
        const a = { a: from(padded, g * inGroup), aRows: patches.rows, aColumns: patches.columns };
        const bias = b ? { bias: from(b, g * outGroup) } : {};
        const inputs = { ...a, b: from(weights, g * outGroup * depth), ...bias };
        device.run(b ? biased : forward, { inputs, outputs: { c: from(y, g * outGroup) }, sizes });
      }
    }),
  );
  return y;
}

/**
 *   dw[o, ky, kx, c] = Σ over n, oy, ox of dy[n, oy, ox, o] · x[n, oy·s + ky·d - p, ox·s + kx·d - p, c]
 *
 * @returns as w of {@link convolve}
 */
export function convolveWeights(dy: Tensor, x: Tensor, geometry: ConvGeometry): Tensor {
  const { device } = x;
  const { input, output: out, groups, depth } = geometry;
  const { patches } = tablesOf(device, geometry);
  const dw = device.empty([out.channels, depth]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const sizes = {
    m: outGroup,
    n: depth,
    k: pixelsOf(out),
    a: { row: 1, column: out.channels },
    b: { row: 0, column: 0, run: patches.run },
    c: { row: depth },
  };
  withPadding(x, geometry, (padded) =>
    withValues(dy, (error) => {
      for (const g of range(groups)) {
        const b = { b: from(padded, g * inGroup), bRows: patches.rows, bColumns: patches.columns };
        const inputs = { a: from(error, g * outGroup), ...b };
        device.run(ofWeights, { inputs, outputs: { c: from(dw, g * outGroup * depth) }, sizes });
      }
    }),
  );
  return dw;
}

/**
 *   dx[n, iy, ix, c] = Σ over ky, kx, o of dy[n, (iy + p - ky·d) / s, (ix + p - kx·d) / s, o] · w[o, ky, kx, c],
 *   where the quotients are whole and inside the output
 *
 * As a convolution of dy, spread by the stride, with the mirrored kernel.
 *
 * @returns [pixels of the input, input channels]
 */
export function convolveInput(dy: Tensor, w: Tensor, geometry: ConvGeometry): Tensor {
  const { device } = dy;
  const { input, output: out, kernel, groups, depth } = geometry;
  const tables = gradientTables(device, geometry);
  const dx = device.empty([pixelsOf(input), input.channels]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const sizes = {
    m: pixelsOf(input),
    n: inGroup,
    k: kernel[0] * kernel[1] * outGroup,
    a: { row: 0, column: 0, run: tables.patches.run },
    b: { row: 0, column: 0, run: tables.kernel.run },
    c: { row: input.channels },
  };
  withValues(dy, (error) =>
    withValues(w, (weights) => {
      const wide = spreadTo(error, tables.spread, out.channels);
      for (const g of range(groups)) {
        const a = { a: from(wide, g * outGroup), aRows: tables.patches.rows, aColumns: tables.patches.columns };
        const b = { b: from(weights, g * outGroup * depth), bRows: tables.kernel.rows, bColumns: tables.kernel.columns };
        device.run(ofInput, { inputs: { ...a, ...b }, outputs: { c: from(dx, g * inGroup) }, sizes });
      }
      device.free(wide);
    }),
  );
  return dx;
} // prettier-ignore
