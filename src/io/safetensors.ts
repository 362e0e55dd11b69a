/**
 * Safetensors: named tensors in one file, as raw little-endian bytes behind a JSON header.
 *
 *   u64 length N · N bytes of JSON · tensor bytes
 *   header: { "<name>": { dtype, shape, data_offsets: [from, to] }, …, "__metadata__": { string: string } }
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source https://github.com/huggingface/safetensors (format description and the checks of its Rust reader).
 */

/** Bits of one element. The sub-byte types count bits, so a tensor of them must fill whole bytes. */
const bitsOf = {
  BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8,
  U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64,
  F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64,
} as const; // prettier-ignore

export type SafetensorsDtype = keyof typeof bitsOf;

/** One tensor: row-major, little-endian. `bytes` may be a view into a larger buffer. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Longest header that is read, in bytes: what Hugging Face's own JavaScript reader allows. */
export const maxHeaderBytes = 25_000_000;

const metadataKey = "__metadata__";

/** The bytes are not a safetensors file, or the tensors cannot be written as one. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
  readonly file: string;
  /** Where it went wrong, counted from the start of the file. */
  readonly byte: number;
  readonly reason: string;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a valid safetensors file: byte ${byte}: ${reason}`);
    this.file = file;
    this.byte = byte;
    this.reason = reason;
  }
}

/**
 * Bytes that a tensor of this type and shape occupies.
 *
 * @returns undefined when the shape is not a list of whole numbers ≥ 0, or does not fill whole bytes.
 */
export function safetensorsBytes(dtype: SafetensorsDtype, shape: readonly number[]): number | undefined {
  const elements = shape.reduce((product, size) => product * size, 1);
  const bytes = (elements * bitsOf[dtype]) / 8;
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  return whole && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Lays tensors out as a safetensors file, without copying them: the parts, one after the other, are the file.
 *
 * Wide elements come first (ties by name), and the header is padded to a multiple of 8, so each tensor starts
 * at a multiple of its element size and may be viewed in place once the file is in memory.
 *
 * @param file  name used in errors.
 * @throws SafetensorsError when a tensor's bytes do not match its shape, or the header is too long.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafetensorsTensor>>,
  metadata: Readonly<Record<string, string>> = {},
  file = "tensors",
): Uint8Array[] {
  const entries = Object.entries(tensors).toSorted(
    ([nameA, a], [nameB, b]) => bitsOf[b.dtype] - bitsOf[a.dtype] || (nameA < nameB ? -1 : 1),
  );
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[metadataKey, metadata]] : [];
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of entries) {
    if (name === metadataKey) throw new SafetensorsError(file, 8, `no tensor may be called "${name}"`);
    const wanted = safetensorsBytes(dtype, shape);
    if (wanted !== bytes.byteLength) {
      const reason = `tensor "${name}" ${dtype} [${shape.join(", ")}] needs ${wanted ?? "whole"} bytes, has`;
      throw new SafetensorsError(file, offset, `${reason} ${bytes.byteLength}`);
    }
    header.push([name, { dtype, shape, data_offsets: [offset, offset + wanted] }]);
    offset += wanted;
  }
  return [encodeHeader(JSON.stringify(Object.fromEntries(header)), file), ...entries.map(([, t]) => t.bytes)];
}

function encodeHeader(json: string, file: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > maxHeaderBytes) throw tooLong(file, length);
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  return bytes;
}

function tooLong(file: string, length: number | bigint): SafetensorsError {
  return new SafetensorsError(file, 0, `the header claims ${length} bytes, the limit is ${maxHeaderBytes}`);
}

/**
 * Reads a safetensors file held in memory. The tensors are views into `bytes`, not copies.
 *
 * @param file  name used in errors.
 * @throws SafetensorsError for anything but a file whose tensors fill its data part exactly: a truncated file,
 *   a header that is not JSON, unknown types, offsets out of range, overlapping or leaving holes.
 */
export function decodeSafetensors(bytes: Uint8Array, file = "tensors"): Safetensors {
  const headerLength = readHeaderLength(bytes, file);
  const header = parseHeader(bytes.subarray(8, 8 + headerLength), file);
  const dataStart = 8 + headerLength;
  const places: Place[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) metadata = checkMetadata(value, file);
    else places.push(checkPlace(name, value, bytes.length - dataStart, file));
  }
  checkCover(places, dataStart, bytes.length, file);
  const tensors = places.map(({ name, dtype, shape, from, to }): [string, SafetensorsTensor] => [
    name,
    { dtype, shape, bytes: bytes.subarray(dataStart + from, dataStart + to) },
  ]);
  return { tensors: new Map(tensors), metadata };
}

/** The data part's first byte; the header is `bytes.subarray(8, dataOffset)`. Same errors as the reader's. */
export function safetensorsDataOffset(bytes: Uint8Array, file = "tensors"): number {
  return 8 + readHeaderLength(bytes, file);
}

function readHeaderLength(bytes: Uint8Array, file: string): number {
  if (bytes.length < 8) {
    throw new SafetensorsError(file, bytes.length, "the file ends inside the 8 bytes of the header's length");
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) throw tooLong(file, length);
  if (Number(length) > bytes.length - 8) {
    throw new SafetensorsError(file, bytes.length, `the file ends inside the header of ${length} bytes`);
  }
  return Number(length);
}

function parseHeader(bytes: Uint8Array, file: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SafetensorsError(file, 8, `the header is not JSON (${(cause as Error).message})`);
  }
  if (!isRecord(header)) throw new SafetensorsError(file, 8, "the header is not a JSON object");
  return header;
}

function checkMetadata(value: unknown, file: string): Record<string, string> {
  if (isRecord(value) && Object.values(value).every((entry) => typeof entry === "string")) {
    return value as Record<string, string>;
  }
  throw new SafetensorsError(file, 8, `"${metadataKey}" is not an object of strings`);
}

interface Place {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

function checkPlace(name: string, value: unknown, dataLength: number, file: string): Place {
  const fail = (reason: string): never => {
    throw new SafetensorsError(file, 8, `tensor ${JSON.stringify(name)}: ${reason}`);
  };
  if (!isRecord(value)) return fail("its entry is not an object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(bitsOf, dtype)) {
    return fail(`unknown dtype ${JSON.stringify(dtype)} (known: ${Object.keys(bitsOf).join(", ")})`);
  }
  const type = dtype as SafetensorsDtype;
  if (!isNumbers(shape)) return fail("its shape is not a list of numbers");
  const wanted = safetensorsBytes(type, shape);
  if (wanted === undefined) return fail(`the shape [${shape.join(", ")}] is not possible for ${dtype}`);
  if (!isNumbers(offsets) || offsets.length !== 2 || !offsets.every(Number.isSafeInteger)) {
    return fail("its data_offsets are not two whole numbers");
  }
  const [from, to] = offsets as [number, number];
  if (from < 0 || to < from || to > dataLength) {
    return fail(`its bytes [${from}, ${to}) lie outside the data part of ${dataLength} bytes`);
  }
  if (to - from !== wanted)
    return fail(`${dtype} [${shape.join(", ")}] needs ${wanted} bytes, has ${to - from}`);
  return { name, dtype: type, shape, from, to };
}

/** Tensors, in order of place, must touch: the format allows neither overlaps nor holes. */
function checkCover(places: readonly Place[], dataStart: number, end: number, file: string): void {
  let next = 0;
  for (const { name, from, to } of places.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== next) {
      const what = from < next ? "overlaps the tensor before it" : `leaves a hole of ${from - next} bytes`;
      throw new SafetensorsError(file, dataStart + from, `tensor ${JSON.stringify(name)} ${what}`);
    }
    next = to;
  }
  if (dataStart + next !== end) {
    const extra = end - dataStart - next;
    throw new SafetensorsError(file, dataStart + next, `${extra} bytes belong to no tensor`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "number");
}
