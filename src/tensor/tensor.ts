/** Tensors: a shape, an encoding, and memory on a device. */
import type { BlockFormat } from "../formats/block-format.ts";
import type { ScalarFormat } from "../formats/format.ts";
import { blockScale } from "../formats/quantise-block.ts";
import type { BufferSlice, HostArray } from "../kernels/backend.ts";
import { codeStorage } from "../kernels/codec.ts";
import { storageBytes, type StorageType } from "../kernels/program.ts";
import type { Device } from "./device.ts";
import { clearSpare, packedBits, packedBytes, unpackCodes } from "./packing.ts";
import type { Storage } from "./storage.ts";

/**
 * How the elements lie in memory.
 *
 * - `float32`: 4 bytes an element.
 * - `int32`: indices.
 * - `coded`: codes of a number format of at most 16 bits, one byte (≤ 8 bits) or two an element. An element stands for
 *   decode(code) · scale. `scale` holds one float32 for the tensor, or one for each index of axis `scaleAxis`.
 * - `blocked`: codes of a block format. The tensor is a matrix [size / last, last]; blocks run along its axis `axis`,
 *   which in memory is filled up to whole blocks with codes of 0 (of NaN or 0 where the block is NaN): see
 *   {@link codesShape}. `scales` holds a code of the
 *   block's scale for each block, [rows, blocks] or [blocks, columns]; `tensorScale` one float32, for formats that have
 *   one. Blocks suit operands of products and what is saved for the backward pass; weights are `coded`.
 *
 * Where `packed`, codes of at most 4 bits occupy 4 bits, of 5 and 6 bits 6: see `packing.ts`. That is how codes are
 * kept, between steps and until the backward pass. Kernels read bytes: what is packed is unpacked into the step's memory
 * before (`ops/pack.ts`).
 */
export type Encoding =
  | { readonly kind: "float32" }
  | { readonly kind: "int32" }
  | {
      readonly kind: "coded";
      readonly format: ScalarFormat;
      readonly scale: Tensor;
      readonly scaleAxis: 0 | 1 | null;
      readonly packed: boolean;
    }
  | {
      readonly kind: "blocked";
      readonly format: BlockFormat;
      readonly axis: 0 | 1;
      readonly scales: Tensor;
      readonly tensorScale: Tensor | null;
      readonly packed: boolean;
    };

export type CodedEncoding = Extract<Encoding, { kind: "coded" }>;
export type BlockedEncoding = Extract<Encoding, { kind: "blocked" }>;

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

/** A tensor whose elements share scales in blocks. */
export type BlockedTensor = Tensor & { readonly encoding: BlockedEncoding };

export const FLOAT32: Encoding = { kind: "float32" };
export const INT32: Encoding = { kind: "int32" };

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Storage type of a tensor's elements; bytes of packed codes. */
export function storageType(encoding: Encoding): StorageType {
  if (encoding.kind === "float32") return "f32";
  if (encoding.kind === "int32") return "i32";
  return encoding.packed
    ? "u8"
    : codeStorage(encoding.kind === "coded" ? encoding.format : encoding.format.element);
}

/** Bits of one code. */
function codeBits(encoding: CodedEncoding | BlockedEncoding): number {
  return encoding.kind === "coded" ? encoding.format.bits : encoding.format.element.bits;
}

/** A tensor as a matrix: [size / last, last]. */
export function matrixShape(shape: readonly number[]): readonly [number, number] {
  const columns = shape[shape.length - 1] ?? 1;
  return [columns === 0 ? 0 : sizeOf(shape) / columns, columns];
}

/** The matrix of codes as it lies in memory: that of the tensor, filled up to whole blocks where it is `blocked`. */
export function codesShape(encoding: Encoding, shape: readonly number[]): readonly [number, number] {
  const [rows, columns] = matrixShape(shape);
  if (encoding.kind !== "blocked") return [rows, columns];
  const { axis, format } = encoding;
  const whole = (size: number): number => Math.ceil(size / format.block) * format.block;
  return axis === 1 ? [rows, whole(columns)] : [whole(rows), columns];
}

/** Bytes of the elements of a tensor, scales apart. Byte codes are given whole words, which packing reads and writes. */
export function elementBytes(encoding: Encoding, shape: readonly number[]): number {
  if (encoding.kind === "float32" || encoding.kind === "int32") return 4 * sizeOf(shape);
  const codes = sizeOf(codesShape(encoding, shape));
  const bits = codeBits(encoding);
  if (encoding.packed) return packedBytes(codes, bits);
  const bytes = codes * storageBytes[storageType(encoding)];
  return packedBits(bits) < 8 ? 4 * Math.ceil(bytes / 4) : bytes;
}

/** Where the elements start. */
export const slice = (tensor: Tensor): BufferSlice => tensor.storage.slice();

export function isCoded(tensor: Tensor): tensor is CodedTensor {
  return tensor.encoding.kind === "coded";
}

export function isBlocked(tensor: Tensor): tensor is BlockedTensor {
  return tensor.encoding.kind === "blocked";
}

/** A tensor and the scales it stands on: everything to be freed with it. */
export function partsOf(tensor: Tensor): readonly Tensor[] {
  if (isCoded(tensor)) return [tensor, tensor.encoding.scale];
  if (!isBlocked(tensor)) return [tensor];
  const { scales, tensorScale } = tensor.encoding;
  return tensorScale ? [tensor, scales, tensorScale] : [tensor, scales];
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
  if (tensor.encoding.kind === "blocked" && matrixShape(shape)[1] !== matrixShape(tensor.shape)[1]) {
    throw new ShapeError(
      `logrung: cannot view blocks of [${tensor.shape.join(", ")}] as [${shape.join(", ")}]`,
    );
  }
  return { ...tensor, shape };
}

/** The elements: floats, integers, or codes (unpacked, and with those that fill up the last blocks). */
export async function readTensor(tensor: Tensor): Promise<HostArray> {
  const { device, encoding, shape } = tensor;
  const codes = sizeOf(codesShape(encoding, shape));
  if (encoding.kind === "float32" || encoding.kind === "int32" || !encoding.packed)
    return device.backend.read(slice(tensor), storageType(encoding), codes);
  return unpackCodes(await readPacked(tensor), codes, codeBits(encoding));
}

/**
 * The bytes of packed codes as they lie in memory, spare ones 0.
 *
 * @throws ShapeError for a tensor that is not packed.
 */
export async function readPacked({ device, encoding, shape, storage }: Tensor): Promise<Uint8Array> {
  if (encoding.kind === "float32" || encoding.kind === "int32" || !encoding.packed)
    throw new ShapeError("logrung: readPacked of a tensor that is not packed");
  const bytes = await device.backend.read(storage.slice(), "u8", elementBytes(encoding, shape));
  const own = bytes instanceof Uint8Array ? bytes : Uint8Array.from(bytes);
  return clearSpare(own, sizeOf(codesShape(encoding, shape)), codeBits(encoding));
}

/** The one element of a float32 scalar. */
export async function item(tensor: Tensor): Promise<number> {
  if (sizeOf(tensor.shape) !== 1)
    throw new ShapeError(`logrung: item() of shape [${tensor.shape.join(", ")}]`);
  return Number((await readTensor(tensor))[0]);
}

/** The values a tensor stands for, codes decoded: float32 value times float32 scale, as kernels have it. */
export async function readValues(tensor: Tensor): Promise<Float32Array | Float64Array> {
  const raw = await readTensor(tensor);
  const { encoding } = tensor;
  if (encoding.kind === "blocked") return blockedValues(tensor.shape, encoding, raw);
  if (encoding.kind !== "coded")
    return raw instanceof Float64Array || raw instanceof Float32Array ? raw : Float32Array.from(raw);
  const scales = await readTensor(encoding.scale);
  const columns = tensor.shape[tensor.shape.length - 1] ?? 1;
  const scaleOf = (i: number): number => {
    if (encoding.scaleAxis === null) return scales[0];
    return scales[encoding.scaleAxis === 0 ? Math.floor(i / columns) : i % columns];
  };
  return Float32Array.from(raw, (code, i) => Math.fround(encoding.format.decode(code)) * scaleOf(i));
}

async function blockedValues(
  shape: readonly number[],
  encoding: BlockedEncoding,
  codes: HostArray,
): Promise<Float32Array> {
  const { axis, format, scales, tensorScale } = encoding;
  const ofTensor = tensorScale ? Number((await readTensor(tensorScale))[0]) : 1;
  const factors = Float32Array.from(await readTensor(scales), (code) => blockScale(code, format, ofTensor));
  const [rows, columns] = matrixShape(shape);
  const [, width] = codesShape(encoding, shape);
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const factor =
      axis === 1
        ? factors[row * (width / format.block) + Math.floor(column / format.block)]
        : factors[Math.floor(row / format.block) * columns + column];
    values[i] = Math.fround(format.element.decode(codes[row * width + column])) * factor;
  }
  return values;
}
