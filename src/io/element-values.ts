/** Elements of files as numbers, and numbers as elements: floats of 16, 32 and 64 bits in either byte order. */

/** Types of elements that hold fractions: `bf16` is the upper half of a float32. */
export type FloatElement = "f16" | "bf16" | "f32" | "f64";

export const elementBytes: Readonly<Record<FloatElement, number>> = { f16: 2, bf16: 2, f32: 4, f64: 8 };

const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** A copy in the byte order of this machine, in memory of its own (aligned). */
function inNativeOrder(bytes: Uint8Array, size: number, bigEndian: boolean): ArrayBuffer {
  const copy = new Uint8Array(bytes); // not slice(): that of a Node buffer copies nothing
  if (bigEndian !== little) return copy.buffer;
  for (let from = 0; from < copy.length; from += size) copy.subarray(from, from + size).reverse();
  return copy.buffer;
}

/** The value of 16 bits as IEEE 754 binary16: 1 sign, 5 exponent, 10 mantissa bits. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** `value / 2^shift` of an unsigned integer, rounded to nearest, ties to even. */
function shiftRounded(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const rest = value % (2 * half);
  const floor = Math.floor(value / (2 * half));
  return floor + (rest > half || (rest === half && floor % 2 === 1) ? 1 : 0);
}

/** The bits of the binary16 nearest to a float32, ties to even; beyond 65504 Inf, and any NaN is the quiet one. */
export function halfBits(value: number): number {
  f32[0] = value;
  const sign = (u32[0] >>> 16) & 0x8000;
  const magnitude = u32[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign; // below half of 2^-24
  if (exponent >= 113) return sign | Math.min(0x7c00, shiftRounded(magnitude - (112 << 23), 13));
  return sign | shiftRounded((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/**
 * The elements as numbers, exactly.
 *
 * @returns memory of its own: float64 for `f64`, else float32.
 */
export function floatValues(
  bytes: Uint8Array,
  type: FloatElement,
  bigEndian = false,
): Float32Array | Float64Array {
  const memory = inNativeOrder(bytes, elementBytes[type], bigEndian);
  switch (type) {
    case "f16":
      return Float32Array.from(new Uint16Array(memory), halfValue);
    case "bf16":
      return new Float32Array(Uint32Array.from(new Uint16Array(memory), (bits) => bits << 16).buffer);
    case "f32":
      return new Float32Array(memory);
    case "f64":
      return new Float64Array(memory);
  }
}

/** The bytes of elements nearest to these float32 values, ties to even. `f32` and `f64` hold them exactly. */
export function floatBytes(
  values: Float32Array,
  type: Exclude<FloatElement, "bf16">,
  bigEndian = false,
): Uint8Array {
  const elements = {
    f16: () => Uint16Array.from(values, halfBits),
    f32: () => values,
    f64: () => Float64Array.from(values),
  }[type]();
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  return new Uint8Array(inNativeOrder(bytes, elementBytes[type], bigEndian));
}
