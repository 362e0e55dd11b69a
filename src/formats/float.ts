/** Binary floating point from one table of constants: fp32, bf16, fp16, and the 8-, 6- and 4-bit floats of OCP. */
import { floorLog2, powerOfTwo, roundSteps } from "./rounding.ts";
import type { FloatCoding, FormatFamily, Rounding, ScalarFormat } from "./scalar-format.ts";

type Constants = Omit<FloatCoding, "kind" | "bias">;

const row = (
  exponentBits: number,
  mantissaBits: number,
  specials: Constants["specials"],
  overflow: Constants["overflow"],
): Constants => ({ exponentBits, mantissaBits, specials, overflow });

/** The bias is 2^(exponentBits - 1) - 1 in all of them. */
const FLOATS: Readonly<Record<string, Constants>> = {
  fp32: row(8, 23, "ieee", "infinity"),
  bf16: row(8, 7, "ieee", "infinity"),
  fp16: row(5, 10, "ieee", "infinity"),
  "fp8-e4m3": row(4, 3, "nan", "saturate"),
  "fp8-e5m2": row(5, 2, "ieee", "saturate"),
  "fp6-e2m3": row(2, 3, "none", "saturate"),
  "fp6-e3m2": row(3, 2, "none", "saturate"),
  "fp4-e2m1": row(2, 1, "none", "saturate"),
};

/** The codes of the magnitudes that are not plain numbers, for a float's constants. */
export function specialCodes({ exponentBits, mantissaBits, specials, overflow }: Constants) {
  const codes = 2 ** (exponentBits + mantissaBits);
  const implicit = 2 ** mantissaBits;
  const infinity = specials === "ieee" ? codes - implicit : null;
  const largest = specials === "ieee" ? codes - implicit - 1 : specials === "nan" ? codes - 2 : codes - 1;
  const nan = specials === "ieee" ? codes - implicit / 2 : specials === "nan" ? codes - 1 : 0;
  return { infinity, largest, nan, overflowed: overflow === "infinity" ? (infinity ?? largest) : largest };
}

/**
 * A float: sign, exponent field with its bias, mantissa; subnormals.
 *
 *   encode(x) = sign · 2^(bits-1) + round(|x| / 2^(E - m)) + (E - emin) · 2^m,   E = max(⌊log₂|x|⌋, emin)
 *
 * Rounding up across a power of two, to a normal number or to Inf, is then the carry of that sum.
 *
 * - fp32, bf16, fp16 overflow to Inf as IEEE 754 (`floor` stops at the largest number, but Inf stays Inf;
 *   `stochastic` takes 2^(emax + 1) for Inf's value). The others saturate, and Inf becomes the largest number too: the
 *   saturating conversion of OCP OFP8 v1.0, which for elements of MX v1.0 (6.3) is the only one.
 * - NaN gives the quiet NaN of positive sign; fp6 and fp4 have none and give zero (MX v1.0 leaves it open).
 * - `stochastic` takes 23 - m random bits, the mantissa bits that are dropped: exact for normal numbers. Below
 *   minNormal, where more bits are dropped, the probability is cut to as many.
 *
 * @source IEEE 754-2019; OCP 8-bit Floating Point Specification (OFP8) v1.0; OCP Microscaling Formats (MX) v1.0, 5.3.
 */
function binaryFloat(name: string, constants: Constants): ScalarFormat {
  const { exponentBits, mantissaBits } = constants;
  const special = specialCodes(constants);
  const bits = 1 + exponentBits + mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const emin = 1 - bias;
  const implicit = 2 ** mantissaBits;
  const signWeight = 2 ** (bits - 1);

  function decode(code: number): number {
    const sign = code >= signWeight ? -1 : 1;
    const magnitude = code % signWeight;
    if (magnitude === special.infinity) return sign * Infinity;
    if (magnitude > special.largest) return NaN;
    const field = Math.floor(magnitude / implicit);
    const fraction = magnitude % implicit;
    if (field === 0) return sign * fraction * 2 ** (emin - mantissaBits);
    return sign * (implicit + fraction) * 2 ** (field - bias - mantissaBits);
  }

  function encode(x: number, rounding: Rounding, u: number): number {
    const magnitude = Math.abs(Math.fround(x));
    if (Number.isNaN(magnitude)) return special.nan;
    const sign = x < 0 || Object.is(x, -0) ? signWeight : 0;
    if (magnitude === Infinity) return sign + special.overflowed;
    const exponent = magnitude === 0 ? emin : Math.max(floorLog2(magnitude), emin);
    const steps = roundSteps(magnitude * powerOfTwo(mantissaBits - exponent), rounding, u, 23 - mantissaBits);
    const top = rounding === "floor" ? special.largest : special.overflowed;
    return sign + Math.min((exponent - emin) * implicit + steps, top);
  }

  const info = {
    max: decode(special.largest),
    minNormal: 2 ** emin,
    minPositive: decode(1),
    hasInf: special.infinity !== null,
    hasNaN: constants.specials !== "none",
    zeroCode: 0,
    signBit: bits - 1,
  };
  const coding =
    bits === 32 ? ({ kind: "float32" } as const) : { kind: "float" as const, bias, ...constants };
  return { name, bits, info, coding, decode, encode };
}

/** `fp32`, `bf16`, `fp16`, `fp8-e4m3`, `fp8-e5m2`, `fp6-e2m3`, `fp6-e3m2`, `fp4-e2m1`. */
export const family: FormatFamily = {
  pattern: new RegExp(`^(${Object.keys(FLOATS).join("|")})$`),
  examples: Object.keys(FLOATS),
  parse: (name) => binaryFloat(name, FLOATS[name]),
};
