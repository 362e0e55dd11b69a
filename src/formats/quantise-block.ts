/** Blocks into codes and back, one at a time: the reference that every backend's kernels equal bit for bit. */
import { exponentCarry, topExponent, type BlockFormat } from "./block-format.ts";
import { float32Bits } from "./float32-bits.ts";
import type { Rounding } from "./scalar-format.ts";

/** A block as codes: of its scale, and of its elements. */
export interface QuantisedBlock {
  readonly scale: number;
  readonly codes: Uint8Array | Uint16Array;
}

/** The code of E8M0 for NaN, and the largest for a number. */
const EXPONENT_NAN = 255;
const EXPONENT_TOP = 254;

/** Least tensor scale: a tensor of zeros divides by it and stays zero. */
const LEAST_SCALE = 2 ** -126;

/** The largest magnitude, of the finite ones. */
function largestFinite(values: ArrayLike<number>): number {
  let top = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(Math.fround(values[i]));
    if (magnitude > top && magnitude < Infinity) top = magnitude;
  }
  return top;
}

/** The largest magnitude; infinity where some value is not finite. */
function largest(values: ArrayLike<number>): number {
  const finite = Array.prototype.every.call(values, (x: number) => Number.isFinite(Math.fround(x)));
  return finite ? largestFinite(values) : Infinity;
}

/**
 * The float32 scale of a tensor in a format that has one: max |x| / (largest element · largest block scale), over the
 * finite values; 1 for formats without.
 */
export function tensorScaleOf(values: ArrayLike<number>, format: BlockFormat): number {
  if (!format.tensorScale) return 1;
  const top = format.element.info.max * format.scale.info.max;
  return Math.max(LEAST_SCALE, Math.fround(largestFinite(values) / top));
}

/**
 * The code of a block's scale.
 *
 * - E8M0: ⌊log₂ a⌋ - E + 127 by the format's rule, kept within 0 … 254. Subnormal maxima count as 2^-127, so a block of
 *   zeros has code 0.
 * - with a tensor scale t: a / max / t in the scale's format, at least its smallest number.
 * - NaN where a value of the block is NaN or infinite: every element of the block is NaN then. (OCP MX v1.0 has the E8M0
 *   code 255 for such blocks; that an infinity leads to it, too, is also torchao's choice.)
 */
export function blockScaleCode(values: ArrayLike<number>, format: BlockFormat, tensorScale = 1): number {
  const top = largest(values);
  const { element, scale } = format;
  if (format.tensorScale) {
    if (top === Infinity) return scale.encode(NaN, "nearest-even", 0);
    const quotient = Math.fround(Math.fround(top / element.info.max) / tensorScale);
    return scale.encode(Math.max(quotient, scale.info.minPositive), "nearest-even", 0);
  }
  if (top === Infinity) return EXPONENT_NAN;
  const field = (float32Bits(top) + exponentCarry(format)) >>> 23;
  return Math.min(EXPONENT_TOP, Math.max(0, field - topExponent(element)));
}

/** What a block's elements are multiplied by, as float32. */
export function blockScale(code: number, format: BlockFormat, tensorScale = 1): number {
  if (format.tensorScale) return Math.fround(format.scale.decode(code) * tensorScale);
  return code === EXPONENT_NAN ? NaN : 2 ** (code - 127);
}

/**
 * Quantises one block, or what is left of a tensor's last one: zeros that fill it up would change nothing.
 *
 *   code = encode(clamp(x / scale, ±max))
 *
 * Elements beyond the largest number saturate, in formats with infinities too. In a block whose scale is NaN every code
 * is that of NaN, or of 0 where the elements have no NaN.
 *
 * @param values       at most `format.block` numbers; rounded to float32 first.
 * @param random       32 random bits for element i, as an unsigned number; needed for `stochastic` alone.
 * @param tensorScale  see {@link tensorScaleOf}.
 * @throws RangeError for more values than a block has.
 */
export function quantiseBlock(
  values: ArrayLike<number>,
  format: BlockFormat,
  rounding: Rounding,
  random: (element: number) => number = () => 0,
  tensorScale = 1,
): QuantisedBlock {
  const { element, block } = format;
  if (values.length > block)
    throw new RangeError(
      `logrung: ${values.length} values for a block of ${format.name}, wants at most ${block}`,
    );
  const code = blockScaleCode(values, format, tensorScale);
  const scale = blockScale(code, format, tensorScale);
  const { max } = element.info;
  const encode = (x: number, i: number): number => {
    const scaled = Math.fround(Math.fround(x) / scale); // a NaN passes min and max
    return element.encode(Math.max(-max, Math.min(max, scaled)), rounding, random(i));
  };
  const codes = Array.from(values, encode);
  return { scale: code, codes: element.bits <= 8 ? Uint8Array.from(codes) : Uint16Array.from(codes) };
}

/** The values of a block's codes, as float32. */
export function dequantiseBlock(
  { scale, codes }: QuantisedBlock,
  format: BlockFormat,
  tensorScale = 1,
): Float32Array {
  const factor = blockScale(scale, format, tensorScale);
  return Float32Array.from(codes, (code) => Math.fround(format.element.decode(code)) * factor);
}
