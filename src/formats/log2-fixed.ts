/** log₂ of a float32 in fixed point, in operations that every machine rounds alike. */
import { float32Bits, float32OfBits } from "./float32-bits.ts";

/**
 * Minimax polynomial Q of degree 6 for log₂(x) - (x - 1) ≈ 2⁻²³ · (¼ - y²) · Q(y), y = x - 1.5, x in [1, 2).
 * Evaluated in float32 by Horner's rule with separate multiply and add, its error is under 1 · 2⁻²³ for every
 * float32 x. The factor ¼ - y² makes it vanish at both ends, so whole octaves are exact.
 */
export const log2ExcessCoefficients: readonly number[] = [
  2850868, -1281917.75, 646034.4375, -345148.5625, 191579.5625, -124787.0390625, 76641.6484375,
];

/** 1.5 · 2²³: adding it to |r| < 2²² leaves r, rounded to an integer, in the low bits. */
export const roundingMagic = 12582912;
export const roundingMagicBits = 0x4b400000;

/** The part of log₂(1.m) above 0.m, in units of 2⁻²³ (an integer), for a 23-bit mantissa field. */
function log2Excess(mantissa: number): number {
  const y = Math.fround(float32OfBits(mantissa | 0x3f800000) - 1.5);
  const ends = Math.fround(0.25 - Math.fround(y * y));
  const q = log2ExcessCoefficients.reduceRight((sum, c) => Math.fround(Math.fround(sum * y) + c));
  return float32Bits(Math.fround(q * ends) + roundingMagic) - roundingMagicBits;
}

/**
 * log₂ x + 127 with 23 fractional bits, an i32, for a positive finite float32 (subnormal too).
 * Error under 2⁻²³ octaves before its own rounding, none at powers of two.
 */
export function log2Fixed(x: number): number {
  let bits = float32Bits(x);
  if (bits < 0x00800000) bits = float32Bits(bits) - 149 * 2 ** 23; // as an integer times 2⁻¹⁴⁹: normal
  return bits + log2Excess(bits & 0x7fffff);
}
