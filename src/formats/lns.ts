/** Logarithmic formats: `lns<bits>-g<γ>` with a sign, `ulns<bits>-g<γ>` without (second moments). */
import { float32Bits } from "./float32-bits.ts";
import { mantissaReaches, rungMantissas } from "./ladder.ts";
import { log2Accuracy, log2Fixed } from "./log2-fixed.ts";
import { powerOfTwo } from "./rounding.ts";
import { UnknownFormatError, type FormatFamily, type Rounding, type ScalarFormat } from "./scalar-format.ts";

interface Ladder {
  readonly rungsPerOctave: number;
  readonly rungs: number;
}

/** Closer to a midpoint than this, `Math.log2` does not decide: γ · log₂ is right to 2^-33 rungs. */
const DOUBT = 2 ** -30;

/** k = round(γ · log₂ x) + K; exact, since midpoints are irrational and doubtful ones are compared as integers. */
function nearestRung({ rungsPerOctave, rungs }: Ladder, x: number): number {
  const position = rungsPerOctave * Math.log2(x);
  const below = Math.floor(position);
  const offset = position - below - 0.5;
  const up = Math.abs(offset) > DOUBT ? offset > 0 : isAboveMidpoint(rungsPerOctave, x, below);
  return rungs + below + (up ? 1 : 0);
}

/** Whether x > 2^((below + ½) / γ). */
function isAboveMidpoint(rungsPerOctave: number, x: number, below: number): boolean {
  const octave = Math.floor((2 * below + 1) / (2 * rungsPerOctave));
  const mantissa = float32Bits(x * 2 ** -octave) & 0x7fffff;
  return mantissaReaches(mantissa, 2 * below + 1 - octave * 2 * rungsPerOctave, 2 * rungsPerOctave);
}

/**
 * k = ⌊γ · log₂ x + K + r⌋, r the upper random bits as a fraction in (0, 1), centred in its steps: 21 - log₂γ bits
 * (14 - log₂γ where γ ≤ 16, 12 - log₂γ where γ ≤ 4).
 * A value that is on a rung (as float32) stays there whatever the bits are.
 */
function stochasticRung({ rungsPerOctave, rungs }: Ladder, x: number, u: number): number {
  const fractionBits = 23 - Math.log2(rungsPerOctave);
  const accuracy = log2Accuracy(rungsPerOctave);
  const dither = ((u >>> (32 - fractionBits)) & -accuracy.grain) + accuracy.grain / 2;
  return rungs - 127 * rungsPerOctave + ((log2Fixed(x, accuracy) + dither) >> fractionBits);
}

/** The highest rung that, as a float32, is at most x. */
function rungBelow({ rungsPerOctave, rungs }: Ladder, x: number): number {
  const near = Math.round(rungsPerOctave * Math.log2(x));
  const octave = Math.floor(near / rungsPerOctave);
  const mantissa = Math.fround(rungMantissas(rungsPerOctave)[near - octave * rungsPerOctave]);
  return rungs + near - (x < mantissa * powerOfTwo(octave) ? 1 : 0);
}

const rungOf: Readonly<Record<Rounding, (ladder: Ladder, x: number, u: number) => number>> = {
  "nearest-even": nearestRung,
  "nearest-away": nearestRung, // midpoints are irrational: there are no ties
  floor: rungBelow,
  stochastic: stochasticRung,
};

/**
 * A logarithmic format. A code is a magnitude field k, with a sign bit above it when signed:
 *
 *   k = 0: zero;   k = 1 … K: 2^((k - K) / γ),   K = 2^(bits - signed) - 1
 *
 * The top code is 1, so a tensor's scale is the magnitude of its top rung. Rounding happens in the log domain:
 *
 * - nearest: k = round(γ log₂|x|) + K; relative error at most 2^(1/2γ) - 1; below 2^((½ - K)/γ) it is zero.
 * - floor: the rung below, but a value that is on a rung (as float32) stays there; below 2^(-K/γ) zero. Wrong by a rung
 *   at most where rungs lie below 2^-126 and float32 loses their digits.
 * - stochastic: mean of k is γ log₂|x| + K within γ · 2^-21 rungs (grain of the random bits 2^-22, error of the
 *   logarithm 2^-23 octaves); within γ · 2^-14 where γ ≤ 16, and γ · 2^-12 where γ ≤ 4. Between zero and the lowest
 *   rung it is one of the two; below 2^(-K/γ) zero.
 *
 * All saturate at K (also ±Inf), keep the sign of zero, and give code 0 for NaN. Unsigned: negative gives 0.
 * Very wide ladders reach below 2^-1022, where `decode` loses precision and, from 2^-1074 on, gives 0.
 *
 * @source Zhao et al. 2021, Low-Precision Training in Logarithmic Number System using Multiplicative Weight Update
 *   (multi-base exponents); the offset K and the code for zero are our choice.
 */
function lns(name: string, bits: number, rungsPerOctave: number, signed: boolean): ScalarFormat {
  const fields = 2 ** (signed ? bits - 1 : bits);
  const rungs = fields - 1;
  const ladder = { rungsPerOctave, rungs };
  const mantissas = rungMantissas(rungsPerOctave);

  function decode(code: number): number {
    const sign = code >= fields ? -1 : 1;
    const k = code % fields;
    if (k === 0) return sign < 0 ? -0 : 0;
    const octave = Math.floor((k - rungs) / rungsPerOctave);
    return sign * mantissas[k - rungs - octave * rungsPerOctave] * 2 ** octave;
  }

  function encode(x: number, rounding: Rounding, u: number): number {
    const value = Math.fround(x);
    const negative = value < 0 || Object.is(value, -0);
    if (Number.isNaN(value) || (negative && !signed)) return 0;
    const sign = negative ? fields : 0;
    const magnitude = Math.abs(value);
    if (magnitude === 0 || magnitude === Infinity) return sign + (magnitude === 0 ? 0 : rungs);
    const rung = rungOf[rounding](ladder, magnitude, u);
    return sign + Math.max(0, Math.min(rungs, rung));
  }

  const lowest = decode(Math.max(1, rungs - 1022 * rungsPerOctave));
  const info = {
    max: 1,
    minNormal: lowest,
    minPositive: lowest,
    hasInf: false,
    hasNaN: false,
    zeroCode: 0,
    signBit: signed ? bits - 1 : null,
  };
  return { name, bits, info, coding: { kind: "ladder", signed, ...ladder }, decode, encode };
}

const PATTERN = /^(u?)lns([1-9]\d*)-g([1-9]\d*)$/;
const EXAMPLES = ["lns8-g8", "lns8-g16", "lns12-g256", "lns16-g1024", "ulns8-g4"];

/** `lns<bits>-g<γ>` and `ulns<bits>-g<γ>`: 3 to 16 bits, γ a power of two from 1 to 2048. */
export const family: FormatFamily = {
  pattern: PATTERN,
  examples: EXAMPLES,
  parse(name) {
    const [, unsigned, bits, gamma] = PATTERN.exec(name) ?? [];
    const reject = (reason: string) => new UnknownFormatError(name, EXAMPLES, reason);
    if (!(+bits >= 3 && +bits <= 16)) throw reject(`bits is ${bits}, wants 3 to 16`);
    if (!(Number.isInteger(Math.log2(+gamma)) && +gamma <= 2048))
      throw reject(`γ is ${gamma}, wants a power of two from 1 to 2048`);
    return lns(name, +bits, +gamma, unsigned === "");
  },
};
