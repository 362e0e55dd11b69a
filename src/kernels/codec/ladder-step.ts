/** Stochastic rounding to a ladder within a longer computation, in fewer operations than the format's own. */
import type { LadderCoding } from "../../formats/format.ts";
import { roundingMagic, roundingMagicBits } from "../../formats/log2-fixed.ts";
import { f32, select, u32, type Value } from "../program.ts";

/** A logarithm by fused operations; see {@link Log2Accuracy} in `src/formats/log2-fixed.ts` for the grain. */
interface FusedLog2 {
  /** Minimax polynomial of 2²³ (log₂ s - (s - 1)), s in [1, 2), lowest power first. */
  readonly coefficients: readonly number[];
  readonly grain: number;
}

/** Error under 750 · 2⁻²³, fused or not. */
const coarse: FusedLog2 = {
  coefficients: [-12690815, 25753954, -17789648, 5411892, -684648.125],
  grain: 2048,
};

/** Error under 115 · 2⁻²³. */
const fine: FusedLog2 = {
  coefficients: [-15102599, 34323912, -29786390, 13683169, -3494416.25, 376429.71875],
  grain: 512,
};

/** The finest ladder that these logarithms are good for: the error stays under 1/4000 of a rung. */
const MOST_RUNGS = 16;

/** Whether {@link roundToLadder} rounds to a ladder: no rung is subnormal, and rungs are not too close. */
export const roundsInStep = ({ rungs, rungsPerOctave }: LadderCoding): boolean =>
  rungsPerOctave <= MOST_RUNGS && rungs <= 126 * rungsPerOctave;

export interface InLadder {
  /** Octaves to add to log₂|x|: -log₂ of a scale. Default 0. */
  readonly octaves?: number;
  /** What to take from the logarithm, an i32 in units of 2⁻²³ octaves. */
  readonly less?: Value;
  /** Whole rungs to take off (i32), a small number. */
  readonly rungsLess?: Value;
  /** The least magnitude field (i32). Default 0. */
  readonly least?: Value;
  /** What NaN counts as; infinity costs nothing. Default zero. */
  readonly nan?: "zero" | "infinity";
  /** Whether x is known to be no less than +0. Default false. */
  readonly positive?: boolean;
}

/**
 * The code of x · 2^octaves · 2^-less · 2^(-rungsLess / γ):
 *
 *   k = clamp(⌊γ (log₂|x| + octaves - less) + u⌋ + K - rungsLess, least, K)
 *
 * Equal to the format's stochastic rounding except where u comes within 1/500 (γ ≤ 8) or 1/2000 of a rung of the
 * decision. As there, a value on a rung stays there. What becomes zero has no sign. Magnitudes below 2^-126 count as less
 * than they are.
 */
export function roundToLadder(
  { signed, rungs, rungsPerOctave }: LadderCoding,
  x: Value,
  noise: Value,
  { octaves = 0, less, rungsLess, least, nan = "zero", positive = false }: InLadder = {},
): Value {
  const bits = x.asI32();
  const magnitude = positive ? bits : signed ? bits.and(0x7fffffff) : bits.max(0);
  const { coefficients, grain } = rungsPerOctave > 8 ? fine : coarse;
  const shift = 23 - Math.log2(rungsPerOctave);
  const dither = noise
    .shr(32 - shift)
    .and(-grain >>> 0)
    .asI32();
  // Whole rungs are taken off at the end; what is left of the offset is part of the logarithm.
  const above =
    Math.round((rungs / rungsPerOctave - 127 + octaves) * 2 ** 23) + grain / 2 - roundingMagicBits;
  const whole = Math.floor(above / 2 ** shift);
  const log = log2Fused(magnitude, coefficients, above - whole * 2 ** shift).add(dither);
  const passed = (less ? log.sub(less) : log).asU32().shr(shift).asI32().add(whole);
  const k = (rungsLess ? passed.sub(rungsLess) : passed).max(least ?? 0).min(rungs);
  // -k has the bit above the magnitude field unless k is 0.
  const sign = signed
    ? bits
        .shr(31)
        .and(k.neg())
        .and(rungs + 1)
    : null;
  const code = (sign ? k.or(sign) : k).asU32();
  return nan === "zero" ? select(magnitude.le(INFINITY_BITS), code, u32(0)) : code;
}

const INFINITY_BITS = 0x7f800000;

/** `log2FixedPlus` with another polynomial, to which `more` and 1.5 · 2²³ are added by its last operation. */
function log2Fused(magnitude: Value, coefficients: readonly number[], more: number): Value {
  const s = magnitude.and(0x7fffff).or(0x3f800000).asF32();
  const [lowest, ...higher] = coefficients;
  const [top, ...rest] = [lowest + roundingMagic + more, ...higher].toReversed();
  return magnitude.add(rest.reduce<Value>((sum, c) => sum.fma(s, c), f32(top)).asI32());
}
