/** log₂ of a float32 in fixed point, in operations that every machine rounds alike. */
import { float32Bits, float32OfBits } from "./float32-bits.ts";

/** How finely log₂ is taken where a ladder is rounded to stochastically. */
export interface Log2Accuracy {
  /**
   * Minimax polynomial Q for log₂(x) - (x - 1) ≈ 2⁻²³ · (¼ - y²) · Q(y), y = x - 1.5, x in [1, 2), lowest power first.
   * The factor ¼ - y² makes it vanish at both ends, so whole octaves are exact. Evaluated in float32 by Horner's rule
   * with separate multiply and add.
   */
  readonly coefficients: readonly number[];
  /**
   * The grain of the random bits added to the logarithm, in units of 2⁻²³ octaves: more than twice the error, so that a
   * value on a rung stays there whatever the bits are.
   */
  readonly grain: number;
}

/** Error under 1 · 2⁻²³. */
const fine: Log2Accuracy = {
  coefficients: [
    2850868, -1281917.75, 646034.4375, -345148.5625, 191579.5625, -124787.0390625, 76641.6484375,
  ],
  grain: 4,
};

/** Error under 131 · 2⁻²³: three powers less, where rungs are far apart. */
const coarse: Log2Accuracy = {
  coefficients: [2850368.25, -1280223.625, 676985.9375, -378737.15625],
  grain: 512,
};

/** Error under 950 · 2⁻²³. */
const coarsest: Log2Accuracy = { coefficients: [2849856, -1316403.625, 688960.3125], grain: 2048 };

/**
 * The fewer rungs an octave has, the less their logarithms need: with up to 4 of them the error is under 1/2000 of a
 * rung, with up to 16 under 1/4000.
 */
export function log2Accuracy(rungsPerOctave: number): Log2Accuracy {
  if (rungsPerOctave <= 4) return coarsest;
  return rungsPerOctave <= 16 ? coarse : fine;
}

/** 1.5 · 2²³: adding it to |r| < 2²² leaves r, rounded to an integer, in the low bits. */
export const roundingMagic = 12582912;
export const roundingMagicBits = 0x4b400000;

/** The part of log₂(1.m) above 0.m, in units of 2⁻²³ (an integer), for a 23-bit mantissa field. */
function log2Excess(mantissa: number, coefficients: readonly number[]): number {
  const y = Math.fround(float32OfBits(mantissa | 0x3f800000) - 1.5);
  const ends = Math.fround(0.25 - Math.fround(y * y));
  let q = coefficients[coefficients.length - 1];
  for (let i = coefficients.length - 2; i >= 0; i--) q = Math.fround(Math.fround(q * y) + coefficients[i]);
  return float32Bits(Math.fround(q * ends) + roundingMagic) - roundingMagicBits;
}

/**
 * log₂ x + 127 with 23 fractional bits, an i32, for a positive finite float32 (subnormal too).
 * Error as the accuracy says (default the fine one), before its own rounding; none at powers of two.
 */
export function log2Fixed(x: number, { coefficients } = fine): number {
  let bits = float32Bits(x);
  if (bits < 0x00800000) bits = float32Bits(bits) - 149 * 2 ** 23; // as an integer times 2⁻¹⁴⁹: normal
  return bits + log2Excess(bits & 0x7fffff, coefficients);
}
