/** Tensors: a shape, an encoding, and memory on a device. */
import type { ScalarFormat } from "../formats/format.ts";
import type { BufferSlice, HostArray } from "../kernels/backend.ts";
import type { StorageType } from "../kernels/program.ts";
import type { Device } from "./device.ts";
import type { Storage } from "./storage.ts";

/**
 * How the elements lie in memory.
 *
 * - `float32`: 4 bytes an element.
 * - `int32`: indices.
 * - `coded`: codes of a number format of at most 16 bits, one byte (≤ 8 bits) or two an element. An element stands for
 *   decode(code) · scale. `scale` holds one float32 for the tensor, or one for each index of axis `scaleAxis`.
 */
export type Encoding =
  | { readonly kind: "float32" }
  | { readonly kind: "int32" }
  | {
      readonly kind: "coded";
      readonly format: ScalarFormat;
      readonly scale: Tensor;
      readonly scaleAxis: 0 | 1 | null;
    };

export type CodedEncoding = Extract<Encoding, { kind: "coded" }>;

/** A contiguous row-major array. Immutable as seen by operations; optimisers write parameters in place. */
export interface Tensor {
  readonly device: Device;
  readonly shape: readonly number[];
  readonly encoding: Encoding;
  readonly storage: Storage;
  /** Whether gradients flow to it: a parameter, or computed from one while the tape records. */
  readonly tracked: boolean;
}

/** A tensor whose values are rungs or other codes. */
export type CodedTensor = Tensor & { readonly encoding: CodedEncoding };

export const FLOAT32: Encoding = { kind: "float32" };
export const INT32: Encoding = { kind: "int32" };

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Storage type of a tensor's elements. */
export function storageType(encoding: Encoding): StorageType {
  if (encoding.kind === "float32") return "f32";
  if (encoding.kind === "int32") return "i32";
  return encoding.format.bits <= 8 ? "u8" : "u16";
}

/** Where the elements start. */
export const slice = (tensor: Tensor): BufferSlice => tensor.storage.slice();

export function isCoded(tensor: Tensor): tensor is CodedTensor {
  return tensor.encoding.kind === "coded";
}

/** Thrown when shapes, encodings or devices do not fit an operation. */
export class ShapeError extends TypeError {
  override name = "ShapeError";
}

/** @throws ShapeError naming the operation, what it wants and what came. */
export function expectShape(operation: string, tensor: Tensor, ...shape: (number | null)[]): void {
  const fits =
    tensor.shape.length === shape.length && shape.every((s, i) => s === null || s === tensor.shape[i]);
  if (!fits) {
    const want = shape.map((s) => s ?? "any").join(", ");
    throw new ShapeError(`logrung: ${operation} wants shape [${want}], got [${tensor.shape.join(", ")}]`);
  }
}

/** The same memory under another shape of as many elements. The caller records it on the tape (`ops/reshape`). */
export function viewAs(tensor: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== sizeOf(tensor.shape)) {
    throw new ShapeError(`logrung: cannot view [${tensor.shape.join(", ")}] as [${shape.join(", ")}]`);
  }
  return { ...tensor, shape };
}

/** The elements as they lie in memory: floats, integers, or codes. */
export function readTensor(tensor: Tensor): Promise<HostArray> {
  const { device, encoding, shape } = tensor;
  return device.backend.read(slice(tensor), storageType(encoding), sizeOf(shape));
}

/** The one element of a float32 scalar. */
export async function item(tensor: Tensor): Promise<number> {
  if (sizeOf(tensor.shape) !== 1)
    throw new ShapeError(`logrung: item() of shape [${tensor.shape.join(", ")}]`);
  return Number((await readTensor(tensor))[0]);
}

/** The values a tensor stands for, codes decoded. */
export async function readValues(tensor: Tensor): Promise<Float32Array | Float64Array> {
  const raw = await readTensor(tensor);
  const { encoding } = tensor;
  if (encoding.kind !== "coded") return raw instanceof Float64Array ? raw : Float32Array.from(raw);
  const scales = await readTensor(encoding.scale);
  const columns = tensor.shape[tensor.shape.length - 1] ?? 1;
  const scaleOf = (i: number): number => {
    if (encoding.scaleAxis === null) return scales[0];
    return scales[encoding.scaleAxis === 0 ? Math.floor(i / columns) : i % columns];
  };
  return Float32Array.from(raw, (code, i) => encoding.format.decode(code) * scaleOf(i));
}
