/** The 16-bit floats as bit patterns: bf16 (8 exponent bits, 7 of fraction) and f16 (5 and 10). */

interface Layout {
  readonly fraction: number;
  /** Exponent of the smallest normal number. */
  readonly least: number;
  readonly infinity: number;
}

const BF16: Layout = { fraction: 7, least: -126, infinity: 0x7f80 };
const F16: Layout = { fraction: 10, least: -14, infinity: 0x7c00 };

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** Nearest integer, ties to even; keeps ±0, ±Inf and NaN. */
export function nearestEven(x: number): number {
  const size = Math.abs(x);
  if (!(size < 2 ** 52)) return x;
  const rounded = size + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** ⌊log₂|x|⌋ of a finite double, -1023 for zero and the doubles' own subnormals. */
export function exponentOf(x: number): number {
  double[0] = x;
  return ((words[HIGH] >>> 20) & 0x7ff) - 1023;
}

/**
 * Bits of x in a 16-bit layout, to nearest even. With r = x / 2^(e - fraction) the pattern is
 * (e - least) · 2^fraction + r: a carry out of the fraction runs into the exponent by itself, and below the
 * least normal exponent the same line gives the subnormals.
 */
function encode(x: number, { fraction, least, infinity }: Layout): number {
  double[0] = x;
  const sign = (words[HIGH] >>> 31) << 15;
  if (Number.isNaN(x)) return infinity | (1 << (fraction - 1));
  if (!Number.isFinite(x)) return sign | infinity;
  const exponent = Math.max(exponentOf(x), least);
  const units = nearestEven(Math.abs(x) * 2 ** (fraction - exponent));
  return sign | Math.min((exponent - least) * 2 ** fraction + units, infinity);
}

function decode(bits: number, { fraction, least, infinity }: Layout): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const size = bits & 0x7fff;
  if (size >= infinity) return size === infinity ? sign * Infinity : NaN;
  const field = size >>> fraction;
  const units = (size & (2 ** fraction - 1)) + (field > 0 ? 2 ** fraction : 0);
  return sign * units * 2 ** (Math.max(field - 1, 0) + least - fraction);
}

/** The bf16 pattern of x, to nearest even; any NaN becomes 0x7fc0. */
export const toBf16 = (x: number): number => encode(x, BF16);
/** The value of a bf16 pattern. */
export const fromBf16 = (bits: number): number => decode(bits, BF16);
/** The f16 pattern of x, to nearest even; any NaN becomes 0x7e00. */
export const toF16 = (x: number): number => encode(x, F16);
/** The value of an f16 pattern. */
export const fromF16 = (bits: number): number => decode(bits, F16);
