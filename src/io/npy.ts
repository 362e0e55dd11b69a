/**
 * The npy format of NumPy: one array in one file.
 *
 *   "\x93NUMPY" · version (major, minor) · header length (u16 in 1.0, u32 in 2.0 and 3.0) · header · elements
 *   header: a Python dictionary, { 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import { NpyError } from "./npy-error.ts";
import { maxAxes, parseNpyHeader } from "./npy-header.ts";

export { NpyError } from "./npy-error.ts";

/** Bytes of one element. Objects, strings, records, dates and complex numbers are not read. */
const bytesOf = {
  b1: 1, i1: 1, i2: 2, i4: 4, i8: 8, u1: 1, u2: 2, u4: 4, u8: 8, f2: 2, f4: 4, f8: 8,
} as const; // prettier-ignore

/** Kind and bytes of an element, as NumPy writes them: `f4` is float32. */
export type NpyDtype = keyof typeof bytesOf;

/** An array as it lies in a file. */
export interface NpyArray {
  readonly dtype: NpyDtype;
  /** The byte order of elements of more than one byte. */
  readonly bigEndian: boolean;
  /** Whether the first index runs fastest (Fortran); else the last one does (C). */
  readonly fortranOrder: boolean;
  /** [] is one number. */
  readonly shape: readonly number[];
  /** The elements; may be a view into the file's bytes. */
  readonly bytes: Uint8Array;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** NumPy pads so that the elements start at a multiple of this. */
const alignment = 64;

/**
 * Reads an npy file held in memory, versions 1.0, 2.0 and 3.0. The elements are a view, not a copy.
 *
 * @param file  name used in errors.
 * @throws NpyError naming the byte: another kind of file, a header that is none, an element type that is not read,
 *   a shape that is not possible, a file that ends too early or goes on after its array.
 */
export function decodeNpy(bytes: Uint8Array, file = "array"): NpyArray {
  checkMagic(bytes, file);
  const version = checkVersion(bytes, file);
  const { from, to } = headerPlace(bytes, version, file);
  const { descr, fortranOrder, shape } = parseNpyHeader(bytes.subarray(from, to), from, version, file);
  const { dtype, bigEndian } = readDescr(descr.value, descr.byte, file);
  const wanted = elementsOf(shape.value, shape.byte, file) * bytesOf[dtype];
  const found = bytes.length - to;
  if (found < wanted) {
    const what = `the array ${dtype} [${shape.value.join(", ")}] needs ${wanted} bytes`;
    throw new NpyError(file, bytes.length, `the file ends here, ${wanted - found} bytes too early: ${what}`);
  }
  if (found > wanted) {
    throw new NpyError(file, to + wanted, `${found - wanted} bytes follow after the end of the array`);
  }
  return {
    dtype,
    bigEndian,
    fortranOrder: fortranOrder.value,
    shape: shape.value,
    bytes: bytes.subarray(to),
  };
}

function checkMagic(bytes: Uint8Array, file: string): void {
  const wrong = magic.findIndex((byte, place) => bytes[place] !== byte);
  if (wrong < 0) return;
  const what =
    wrong >= bytes.length ? "the file ends inside its first six bytes" : "it does not begin as one does";
  throw new NpyError(file, wrong, `${what}, 93 4e 55 4d 50 59 ("\\x93NUMPY")`);
}

function checkVersion(bytes: Uint8Array, file: string): 1 | 2 | 3 {
  const [major, minor] = bytes.subarray(6, 8);
  if (minor === undefined) throw new NpyError(file, bytes.length, "the file ends inside its version");
  if ((major === 1 || major === 2 || major === 3) && minor === 0) return major;
  throw new NpyError(file, 6, `version ${major}.${minor} (known: 1.0, 2.0, 3.0)`);
}

function headerPlace(bytes: Uint8Array, version: 1 | 2 | 3, file: string): { from: number; to: number } {
  const from = version === 1 ? 10 : 12;
  if (bytes.length < from) {
    throw new NpyError(file, bytes.length, "the file ends inside the length of its header");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + 8, from - 8);
  const length = version === 1 ? view.getUint16(0, true) : view.getUint32(0, true);
  if (bytes.length < from + length) {
    throw new NpyError(file, bytes.length, `the file ends inside its header of ${length} bytes`);
  }
  return { from, to: from + length };
}

function readDescr(descr: string, byte: number, file: string): Pick<NpyArray, "dtype" | "bigEndian"> {
  const [, order, dtype] = /^([<>|=]?)(.*)$/s.exec(descr) ?? [];
  if (!Object.hasOwn(bytesOf, dtype)) {
    const known = `known: ${Object.keys(bytesOf).join(", ")}; convert with array.astype("float32")`;
    throw new NpyError(file, byte, `elements of type ${JSON.stringify(descr)} are not read (${known})`);
  }
  const type = dtype as NpyDtype;
  if (bytesOf[type] > 1 && (order === "|" || order === "=" || order === "")) {
    throw new NpyError(file, byte, `the type ${JSON.stringify(descr)} does not say its byte order, < or >`);
  }
  return { dtype: type, bigEndian: order === ">" };
}

function elementsOf(shape: readonly number[], byte: number, file: string): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  const fits = shape.every(Number.isSafeInteger) && Number.isSafeInteger(elements * 8);
  if (fits) return elements;
  throw new NpyError(file, byte, `the shape (${shape.join(", ")}) has more elements than any file can hold`);
}

/**
 * Lays an array out as an npy file of version 1.0, byte for byte as NumPy does: the parts, one after the other, are
 * the file.
 *
 * @throws RangeError when the bytes do not match the shape, or it has more than 64 axes.
 */
export function encodeNpy({ dtype, bigEndian, fortranOrder, shape, bytes }: NpyArray): Uint8Array[] {
  const wanted = shape.reduce((product, size) => product * size, bytesOf[dtype]);
  if (wanted !== bytes.length || shape.length > maxAxes) {
    throw new RangeError(
      `logrung: an array ${dtype} [${shape.join(", ")}] needs ${wanted} bytes, has ${bytes.length}`,
    );
  }
  const order = bytesOf[dtype] === 1 ? "|" : bigEndian ? ">" : "<";
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const fortran = fortranOrder ? "True" : "False";
  const dictionary = `{'descr': '${order}${dtype}', 'fortran_order': ${fortran}, 'shape': ${tuple}, }`;
  const growing = fortranOrder ? shape.at(-1) : shape[0];
  return [headerBytes(dictionary + " ".repeat(growing === undefined ? 0 : 21 - `${growing}`.length)), bytes];
}

/** Spaces fill up to the alignment, one at least as NumPy has it; a line break ends the header. */
function headerBytes(header: string): Uint8Array {
  const total = (Math.floor((10 + header.length + 1) / alignment) + 1) * alignment;
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set([...magic, 1, 0, (total - 10) % 256, Math.floor((total - 10) / 256)]);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}
