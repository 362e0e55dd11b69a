/** Binary floating point, from one table of constants: fp32 and bf16. */
import type { Coding, FormatFamily, Rounding, ScalarFormat } from "./scalar-format.ts";

interface FloatConstants {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly coding: Coding;
}

const FLOATS: Readonly<Record<string, FloatConstants>> = {
  fp32: { exponentBits: 8, mantissaBits: 23, coding: { kind: "float32" } },
  bf16: { exponentBits: 8, mantissaBits: 7, coding: { kind: "float", exponentBits: 8, mantissaBits: 7 } },
};

function floorLog2(x: number): number {
  const guess = Math.floor(Math.log2(x));
  return 2 ** guess > x ? guess - 1 : 2 ** (guess + 1) <= x ? guess + 1 : guess;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Multiples of the quantum, by rounding; `stochastic` uses the upper 16 random bits. */
const roundSteps: Readonly<Record<Rounding, (steps: number, u: number) => number>> = {
  "nearest-even": roundHalfEven,
  stochastic: (steps, u) => Math.floor(steps + (u >>> 16) * 2 ** -16),
};

/**
 * The IEEE 754 interchange layout: sign, exponent field with bias 2^(e-1) - 1, mantissa; subnormals, Inf, NaN.
 *
 *   encode(x) = sign · 2^(bits-1) + round(|x| / 2^(E - m)) + (E - emin) · 2^m,   E = max(⌊log₂|x|⌋, emin)
 *
 * Rounding up across a power of two, to a normal number or to Inf, is then the carry of that sum. A NaN gives the
 * quiet NaN of positive sign. `stochastic` has 16 bits of resolution: exact for bf16, and fp32 is never rounded.
 */
function ieeeFloat(name: string, { exponentBits, mantissaBits, coding }: FloatConstants): ScalarFormat {
  const bits = 1 + exponentBits + mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const emin = 1 - bias;
  const implicit = 2 ** mantissaBits;
  const infinity = (2 ** exponentBits - 1) * implicit;
  const signWeight = 2 ** (bits - 1);

  function decode(code: number): number {
    const sign = code >= signWeight ? -1 : 1;
    const magnitude = code % signWeight;
    if (magnitude >= infinity) return magnitude === infinity ? sign * Infinity : NaN;
    const field = Math.floor(magnitude / implicit);
    const fraction = magnitude % implicit;
    if (field === 0) return sign * fraction * 2 ** (emin - mantissaBits);
    return sign * (implicit + fraction) * 2 ** (field - bias - mantissaBits);
  }

  function encode(x: number, rounding: Rounding, u: number): number {
    const magnitude = Math.abs(Math.fround(x));
    if (Number.isNaN(magnitude)) return infinity + implicit / 2;
    const sign = x < 0 || Object.is(x, -0) ? signWeight : 0;
    if (magnitude === Infinity) return sign + infinity;
    const exponent = magnitude === 0 ? emin : Math.max(floorLog2(magnitude), emin);
    const steps = roundSteps[rounding](magnitude * 2 ** (mantissaBits - exponent), u);
    return sign + Math.min((exponent - emin) * implicit + steps, infinity);
  }

  const info = {
    max: decode(infinity - 1),
    minNormal: 2 ** emin,
    minPositive: decode(1),
    hasInf: true,
    hasNaN: true,
    zeroCode: 0,
    signBit: bits - 1,
  };
  return { name, bits, info, coding, decode, encode };
}

/** `fp32` and `bf16`. */
export const family: FormatFamily = {
  pattern: new RegExp(`^(${Object.keys(FLOATS).join("|")})$`),
  examples: Object.keys(FLOATS),
  parse: (name) => ieeeFloat(name, FLOATS[name]),
};
