/** Programs for integers and fixed point numbers in two's complement. */
import type { IntegerCoding, Rounding } from "../../formats/format.ts";
import { roundingMagic } from "../../formats/log2-fixed.ts";
import { select, type Value } from "../program.ts";

/** Steps |x| · 2^fractionBits, at most the largest integer; NaN stays NaN. */
function clamped({ bits, fractionBits }: IntegerCoding, x: Value): Value {
  const steps = fractionBits === 0 ? x : x.mul(2 ** fractionBits);
  const largest = 2 ** (bits - 1) - 1;
  return steps.max(-largest).min(largest);
}

/**
 * Nearest even: adding 1.5 · 2²³ leaves the integer, in two's complement, in the low bits. The others cut a fixed-point
 * number with 32 - bits places; NaN is 0 there by conversion.
 */
export function encodeInteger(coding: IntegerCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  const { bits } = coding;
  const steps = clamped(coding, x);
  const mask = 2 ** bits - 1;
  if (rounding === "nearest-even") return select(x.eq(x), steps.add(roundingMagic).asU32().and(mask), 0);
  const n = magnitude(bits, steps.abs(), rounding, noise);
  return select(x.lt(0), n.neg(), n).asU32().and(mask);
}

function magnitude(bits: number, steps: Value, rounding: Rounding, noise: Value | undefined): Value {
  if (rounding === "nearest-away") return steps.mul(2).toI32().add(1).shr(1);
  if (rounding !== "stochastic" || !noise) return steps.toI32();
  const places = 32 - bits;
  return steps
    .mul(2 ** places)
    .toI32()
    .add(noise.shr(bits).asI32())
    .shr(places);
}

export function decodeInteger({ bits, fractionBits }: IntegerCoding, code: Value): Value {
  const n = code
    .shl(32 - bits)
    .asI32()
    .shr(32 - bits)
    .toF32();
  return fractionBits === 0 ? n : n.mul(2 ** -fractionBits);
}
