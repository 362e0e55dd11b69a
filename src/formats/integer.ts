/** Integers in two's complement: int8, int4, and the fixed point numbers that MXINT8 is made of. */
import { roundSteps } from "./rounding.ts";
import type { FormatFamily, Rounding, ScalarFormat } from "./scalar-format.ts";

/**
 * Two's complement with `fractionBits` places after the point:
 *
 *   value = n · 2^-fractionBits,   n = -(2^(bits-1) - 1) … 2^(bits-1) - 1
 *
 * The most negative code, which has no positive counterpart, is decoded when read and never given (as MX v1.0 5.3.4 and
 * common int8 quantisation have it, so that encoding is odd). Too large a number and ±Inf saturate; NaN gives 0; -0 is 0.
 * `stochastic` takes 32 - bits random bits.
 *
 * @param bits         2 to 16.
 * @param fractionBits 0 for plain integers; 6 for the elements of MXINT8.
 */
export function integerFormat(name: string, bits: number, fractionBits = 0): ScalarFormat {
  const codes = 2 ** bits;
  const largest = codes / 2 - 1;
  const unit = 2 ** -fractionBits;

  const decode = (code: number): number => (code > largest ? code - codes : code) * unit;

  function encode(x: number, rounding: Rounding, u: number): number {
    const value = Math.fround(x);
    if (Number.isNaN(value)) return 0;
    const steps = Math.min(Math.abs(value) / unit, largest);
    const n = roundSteps(steps, rounding, u, 32 - bits);
    return n > 0 && value < 0 ? codes - n : n;
  }

  const info = {
    max: largest * unit,
    minNormal: unit,
    minPositive: unit,
    hasInf: false,
    hasNaN: false,
    zeroCode: 0,
    signBit: bits - 1,
  };
  return { name, bits, info, coding: { kind: "integer", bits, fractionBits }, decode, encode };
}

const INTEGERS: Readonly<Record<string, number>> = { int8: 8, int4: 4 };

/** `int8` and `int4`: the values are the integers -127 … 127 and -7 … 7; a scale does the rest. */
export const family: FormatFamily = {
  pattern: new RegExp(`^(${Object.keys(INTEGERS).join("|")})$`),
  examples: Object.keys(INTEGERS),
  parse: (name) => integerFormat(name, INTEGERS[name]),
};
