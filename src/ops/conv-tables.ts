/** Tables of a convolution on a device, and pixels moved to new places by them. */
import { gather } from "../kernels/gather.ts";
import { f32, select, u32 } from "../kernels/program.ts";
import { gathered, output, perRow } from "../kernels/signature.ts";
import type { Device } from "../tensor/device.ts";
import { isBlocked, type BlockedTensor, type Tensor } from "../tensor/tensor.ts";
import { paddedInput, patchOffsets, type ConvGeometry, type Offsets, type Spread } from "./conv-geometry.ts";
import { gradientPlan } from "./conv-gradient-geometry.ts";

/** Offsets of a gathered operand on a device. */
export interface DeviceOffsets {
  readonly rows: Tensor;
  readonly columns: Tensor;
  readonly run: number;
}

/** Where pixels come from when they are spread, on a device. */
export interface DeviceSpread {
  readonly index: Tensor;
  readonly keep: Tensor;
  readonly pixels: number;
}

/** What windows slide over, and the windows. */
export interface InputTables {
  /** The image with its padding; null: as it is. */
  readonly field: DeviceSpread | null;
  readonly patches: DeviceOffsets;
}

/** `GradientPlan` on a device. */
export interface GradientTables {
  readonly field: DeviceSpread | null;
  readonly phases: readonly { readonly patches: DeviceOffsets; readonly kernel: DeviceOffsets }[];
  readonly places: DeviceSpread | null;
}

/** Tables of one geometry, kept for a device's life: steps repeat the same few geometries. */
interface Tables {
  readonly input: InputTables;
  /** Made when first asked for. */
  gradient: GradientTables | null;
}

const known = new WeakMap<Device, Map<string, Tables>>();

function tablesOf(device: Device, geometry: ConvGeometry): Tables {
  const ofDevice = known.get(device) ?? new Map<string, Tables>();
  known.set(device, ofDevice);
  const key = JSON.stringify(geometry);
  const found = ofDevice.get(key);
  if (found) return found;
  const padding = paddedInput(geometry);
  const input = {
    patches: onDevice(device, patchOffsets(geometry)),
    field: padding && spreadOnDevice(device, padding),
  };
  const tables: Tables = { input, gradient: null };
  ofDevice.set(key, tables);
  return tables;
}

/** The input with its padding, and its patches. */
export const inputTables = (device: Device, geometry: ConvGeometry): InputTables =>
  tablesOf(device, geometry).input;

/** What the input's gradient is made by. */
export function gradientTables(device: Device, geometry: ConvGeometry): GradientTables {
  const tables = tablesOf(device, geometry);
  tables.gradient ??= gradientOnDevice(device, geometry);
  return tables.gradient;
}

function gradientOnDevice(device: Device, geometry: ConvGeometry): GradientTables {
  const { field, phases, places } = gradientPlan(geometry);
  return {
    field: field && spreadOnDevice(device, field),
    phases: phases.map(({ patches, kernel }) => ({
      patches: onDevice(device, patches),
      kernel: onDevice(device, kernel),
    })),
    places: places && spreadOnDevice(device, places),
  };
}

function onDevice(device: Device, { rows, columns, run }: Offsets): DeviceOffsets {
  const place = (offsets: Int32Array): Tensor => device.keep(device.tensor(offsets, [offsets.length]));
  return { rows: place(rows), columns: place(columns), run };
}

function spreadOnDevice(device: Device, { source }: Spread): DeviceSpread {
  const from = source.map((pixel) => Math.max(0, pixel));
  const keep = Float32Array.from(source, (pixel) => (pixel < 0 ? 0 : 1));
  return {
    index: device.keep(device.tensor(from, [source.length])),
    keep: device.keep(device.tensor(keep, [keep.length])),
    pixels: source.length,
  };
}

/** Copies pixels to new places; where `keep` is 0 there are zeros. */
const spreadFloats = gather(
  "spread pixels",
  "gather",
  { source: gathered("f32"), keep: perRow("f32") },
  {},
  ({ source, keep }) => output("f32", select(keep.ne(0), source, f32(0))),
);

/** The same of codes, where 0 stands for zero. */
const spreadCodes = gather(
  "spread codes",
  "gather",
  { source: gathered("u8"), keep: perRow("f32") },
  {},
  ({ source, keep }) => output("u8", select(keep.ne(0), source, u32(0))),
);

/**
 * Pixels at new places, zeros at the others, in the step's memory.
 *
 * @param x  [pixels, channels], float32 or unpacked codes of at most 8 bits in whole blocks along the channels.
 */
export function spreadTo(x: Tensor, spread: DeviceSpread): Tensor {
  if (isBlocked(x)) return spreadBlocks(x, spread);
  const out = x.device.empty([spread.pixels, x.shape[1]]);
  move(x, out, spread, x.shape[1]);
  return out;
}

function spreadBlocks(x: BlockedTensor, spread: DeviceSpread): BlockedTensor {
  const { device } = x;
  const { scales, format } = x.encoding;
  const [channels, blocks] = [x.shape[1], x.shape[1] / format.block];
  const newScales = device.empty([spread.pixels, blocks], scales.encoding);
  const encoding = { ...x.encoding, scales: newScales };
  const out = { ...device.empty([spread.pixels, channels], encoding), encoding };
  move(x, out, spread, channels);
  move(scales, newScales, spread, blocks);
  return out;
}

function move(source: Tensor, out: Tensor, { index, keep, pixels }: DeviceSpread, columns: number): void {
  const kernel = source.encoding.kind === "float32" ? spreadFloats : spreadCodes;
  source.device.run(kernel, {
    inputs: { source, keep, index },
    outputs: { out },
    sizes: { rows: pixels, columns },
  });
}
