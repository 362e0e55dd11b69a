/** Pieces that the expansions share. */
import { f32, fma, i32, select, u32, type Value } from "../program.ts";

/** c₀ + c₁x + c₂x² + …, by Horner's rule. */
export function polynomial(x: Value, coefficients: readonly number[]): Value {
  const [last, ...rest] = coefficients.toReversed();
  return rest.reduce<Value>((sum, c) => fma(sum, x, c), f32(last));
}

/**
 * 1.5 · 2²³. Adding it to an |x| < 2²² leaves the nearest integer in the low bits, and taking it away again
 * gives that integer as a float: two additions, where rounding and converting are slow or missing in some
 * instruction sets.
 */
const SHIFTER = 3 * 2 ** 22;

/** The integer nearest to x, |x| < 2²²; `bits` holds it in its low nine bits. */
export function nearestInteger(x: Value): { readonly whole: Value; readonly bits: Value } {
  const shifted = x.add(SHIFTER);
  return { whole: shifted.sub(SHIFTER), bits: shifted.asI32() };
}

/**
 * p · 2ⁿ for n from -150 to 128, where `bits` holds n as {@link nearestInteger} left it. Two factors 2^⌊n/2⌋
 * and 2^⌈n/2⌉, because 2ⁿ itself may lie outside float32; only the second product can round.
 */
export function scale(p: Value, bits: Value): Value {
  const half = bits.shr(1);
  return p.mul(powerOfTwo(half)).mul(powerOfTwo(bits.sub(half)));
}

/** 2ⁿ for n from -126 to 127 in the low nine bits of `bits`. */
export const powerOfTwo = (bits: Value): Value => bits.shl(23).add(0x3f800000).asF32();

/** A float split as 2^exponent · (1 + fraction), fraction in [√½ - 1, √2 - 1). */
export interface Split {
  readonly exponent: Value;
  readonly fraction: Value;
}

const SQRT_HALF_BITS = 0x3f3504f3;
const SUBNORMAL_SHIFT = 24;

/** Splits a positive finite float; subnormals are first multiplied by 2²⁴. Anything else gives nonsense. */
export function split(x: Value): Split {
  const subnormal = x.lt(2 ** -126);
  const bits = select(subnormal, x.mul(2 ** SUBNORMAL_SHIFT), x).asI32();
  const bias = select(subnormal, i32(SQRT_HALF_BITS + (SUBNORMAL_SHIFT << 23)), i32(SQRT_HALF_BITS));
  const above = bits.sub(bias);
  return {
    exponent: above.shr(23).toF32(),
    fraction: above.and(0x7fffff).add(SQRT_HALF_BITS).asF32().sub(1),
  };
}

/** A logarithm's edges: NaN stays, +Inf stays, ±0 gives -Inf, negative numbers NaN. */
export function logarithmOf(x: Value, ordinary: Value): Value {
  const edge = select(x.eq(0), f32(-Infinity), select(x.lt(0), f32(NaN), x));
  return select(x.gt(0), select(x.lt(Infinity), ordinary, x), edge);
}

/** |size| with the sign of x; NaN keeps being NaN. */
export const withSignOf = (x: Value, size: Value): Value =>
  x.asU32().and(u32(0x80000000)).or(size.asU32()).asF32();
