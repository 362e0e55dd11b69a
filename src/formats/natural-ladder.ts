/** Natural-log ladders `lns<B>-eta<η₀>`: the weights of B-bit Madam. */
import { float32Bits, float32OfBits } from "./float32-bits.ts";
import { log2Fixed } from "./log2-fixed.ts";
import { naturalRungs } from "./natural-rungs.ts";
import {
  UnknownFormatError,
  type FormatFamily,
  type NaturalLadderCoding,
  type Rounding,
  type ScalarFormat,
} from "./scalar-format.ts";

/** Rungs between neighbours of a ladder, in units of 2^-23 octaves, as a float32. */
export const naturalGap = (step: number): number => Math.fround((step / Math.LN2) * 2 ** 23);

/** Goes up when u · gap < distance, u a 24-bit fraction: all in float32, as in kernels. */
const goesUp = (u: number, gap: number, distance: number): boolean =>
  Math.fround(Math.fround((u >>> 8) * 2 ** -24) * gap) < Math.fround(distance);

/**
 * A ladder of equal ratios e^η₀ below 1. A code is a magnitude field f with a sign bit above it:
 *
 *   value = ± e^(-(K - f) · η₀),   f = 0 … K,   K = 2^B - 1
 *
 * so that codes rise with magnitudes; Madam's k is K - f. There is no zero: ±0 and all below the lowest rung encode to the
 * lowest rung of their sign. Above the top, and for ±Inf, it saturates; NaN gives code 0. Rounding is in the log domain:
 *
 * - nearest: f = round(ln|x| / η₀) + K; relative error at most e^(η₀/2) - 1;
 * - floor: the rung below, but a value on a rung (as float32) stays there;
 * - stochastic: mean of f is ln|x| / η₀ + K within 4 ln 2 / η₀ · 2^-23 rungs, with 24 random bits.
 *
 * @param magnitudeBits B, 3 to 15, the sign not counted: the code has one bit more.
 * @param step          η₀, the relative change of a step; at least 0.0001, and (2^B - 1) η₀ ≤ 87 so that the lowest rung
 *   is a normal float32.
 * @source Bernstein et al. 2020, Learning compositional functions via multiplicative weight updates, section 4.1.
 */
function naturalLadder(name: string, magnitudeBits: number, step: number): ScalarFormat {
  const fields = 2 ** magnitudeBits;
  const coding: NaturalLadderCoding = { kind: "natural-ladder", magnitudeBits, step };
  const rungs = naturalRungs(coding);
  const gap = naturalGap(step);

  const decode = (code: number): number => (code >= fields ? -1 : 1) * rungs.values[code % fields];

  /** The field of the last threshold that is ≤ bits; the first guess is right but for a neighbour. */
  function fieldAt(thresholds: Int32Array, bits: number): number {
    const position = fields - 1 + Math.log(float32OfBits(bits)) / step;
    const guess = Math.max(0, Math.min(fields - 1, Math.round(position)));
    if (bits < thresholds[guess]) return guess - 1;
    return guess + 1 < fields && bits >= thresholds[guess + 1] ? guess + 1 : guess;
  }

  function fieldByChance(bits: number, u: number): number {
    const f = fieldAt(rungs.floors, bits);
    const up = goesUp(u, gap, log2Fixed(float32OfBits(bits)) - rungs.logs[f]);
    return Math.min(f + (up ? 1 : 0), fields - 1);
  }

  function encode(x: number, rounding: Rounding, u: number): number {
    if (Number.isNaN(x)) return 0;
    const sign = x < 0 || Object.is(x, -0) ? fields : 0;
    const bits = float32Bits(Math.max(Math.fround(rungs.values[0]), Math.min(1, Math.abs(x))));
    if (rounding === "stochastic") return sign + fieldByChance(bits, u);
    return sign + fieldAt(rounding === "floor" ? rungs.floors : rungs.midpoints, bits);
  }

  const info = {
    max: 1,
    minNormal: rungs.values[0],
    minPositive: rungs.values[0],
    hasInf: false,
    hasNaN: false,
    zeroCode: null,
    signBit: magnitudeBits,
  };
  return { name, bits: magnitudeBits + 1, info, coding, decode, encode };
}

const PATTERN = /^lns([1-9]\d*)-eta(\d+(?:\.\d+)?)$/;
const EXAMPLES = ["lns12-eta0.001", "lns10-eta0.005", "lns8-eta0.01"];

/** `lns<B>-eta<η₀>`: B from 3 to 15, without the sign; η₀ a decimal number. */
export const family: FormatFamily = {
  pattern: PATTERN,
  examples: EXAMPLES,
  parse(name) {
    const [, bits, eta] = PATTERN.exec(name) ?? [];
    const reject = (reason: string) => new UnknownFormatError(name, EXAMPLES, reason);
    const most = 87 / (2 ** +bits - 1);
    if (!(+bits >= 3 && +bits <= 15)) throw reject(`bits is ${bits}, wants 3 to 15, the sign not counted`);
    if (!(+eta >= 0.0001 && +eta <= most))
      throw reject(
        `η₀ is ${eta}, wants 0.0001 to ${most.toPrecision(3)}: the range e^(-η₀ (2^B - 1)) is float32's`,
      );
    return naturalLadder(name, +bits, +eta);
  },
};
