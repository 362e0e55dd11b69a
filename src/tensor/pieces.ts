/** Tensors written and read piece by piece, so that JavaScript never holds the whole of one. */
import type { HostArray } from "../kernels/backend.ts";
import { lowPlaneBytes } from "./packing.ts";
import { codesShape, elementBytes, sizeOf, storageType, type Encoding, type Tensor } from "./tensor.ts";

/** Elements of a piece: 32 KB as float32, which the system's allocator gives back and uses again. */
const PIECE = 8192;

/** Where the pieces of so many elements begin and how long they are. */
function* piecesOf(size: number): Generator<readonly [from: number, length: number]> {
  for (let from = 0; from < size; from += PIECE) yield [from, Math.min(PIECE, size - from)];
}

/** Fills a float32 tensor; `fill` is given a piece and the index of its first element, in order. */
export function fillTensor(tensor: Tensor, fill: (piece: Float32Array, from: number) => void): void {
  const { device, shape, storage } = tensor;
  const size = sizeOf(shape);
  const piece = new Float32Array(Math.min(PIECE, size));
  for (const [from, length] of piecesOf(size)) {
    const part = piece.subarray(0, length);
    fill(part, from);
    device.backend.write(storage.slice(4 * from), part);
  }
}

/** Shows the elements of a float32 tensor, in order. Each piece is overwritten by the next. */
export async function visitTensor(
  { device, shape, storage }: Tensor,
  visit: (piece: Float64Array, from: number) => void,
): Promise<void> {
  const size = sizeOf(shape);
  const piece = new Float64Array(Math.min(PIECE, size));
  for (const [from, length] of piecesOf(size)) {
    const part = piece.subarray(0, length);
    await device.backend.readInto(storage.slice(4 * from), "f32", part);
    visit(part, from);
  }
}

/** target[i] = change(source[i], i), rounded to float32; both may be the same tensor. */
export function mapTensor(
  source: Tensor,
  target: Tensor,
  change: (value: number, index: number) => number,
): Promise<void> {
  const { device, storage } = target;
  return visitTensor(source, (piece, from) => {
    const changed = Float32Array.from(piece, (value, i) => change(value, from + i));
    device.backend.write(storage.slice(4 * from), changed);
  });
}

/** Gives every element of a tensor, of whatever encoding, the same number or code. */
export function fillElements(tensor: Tensor, element: number): void {
  const { encoding, shape } = tensor;
  const bytes = elementBytes(encoding, shape);
  if (encoding.kind === "float32" || encoding.kind === "int32" || !encoding.packed) {
    const size = sizeOf(codesShape(encoding, shape));
    return fillRange(tensor, 0, size, arrayOf(encoding, Math.min(PIECE, size)).fill(element));
  }
  // A byte of the low plane holds four bits of two codes, of the high plane two bits of four.
  const high = lowPlaneBytes(sizeOf(codesShape(encoding, shape)));
  const low = (element & 15) * 0x11;
  const upper = (element >> 4) * 0x55;
  fillRange(tensor, 0, high, new Uint8Array(Math.min(PIECE, high)).fill(low));
  fillRange(tensor, high, bytes - high, new Uint8Array(Math.min(PIECE, bytes - high)).fill(upper));
}

/** Writes an array again and again over `size` elements of its type from byte `start` on. */
function fillRange({ device, storage }: Tensor, start: number, size: number, piece: HostArray): void {
  for (const [from, length] of piecesOf(size))
    device.backend.write(storage.slice(start + from * piece.BYTES_PER_ELEMENT), piece.subarray(0, length));
}

function arrayOf(encoding: Encoding, length: number): HostArray {
  const storage = storageType(encoding);
  if (storage === "f32") return new Float32Array(length);
  if (storage === "i32") return new Int32Array(length);
  return storage === "u16" ? new Uint16Array(length) : new Uint8Array(length);
}
