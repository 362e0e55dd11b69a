/** Rounding to whole numbers without the rounding instructions, which V8 does not widen to 256 bits. */
import { select, type UnaryOp, type Value } from "../program.ts";

/** From here on every float32 is a whole number. */
const WHOLE = 2 ** 23;

const SIGN = 0x80000000;

const withSignOf = (x: Value, size: Value): Value => x.asU32().and(SIGN).or(size.asU32()).asF32();

/** Nearest whole number of |x| < 2²³, ties to even: adding 2²³ leaves no place for a fraction. */
const nearestSmall = (x: Value): Value => withSignOf(x, x.abs().add(WHOLE).sub(WHOLE));

/** `small` where |x| < 2²³; else x, which is whole, infinite or NaN. */
const unlessWhole = (x: Value, small: Value): Value => select(x.abs().lt(WHOLE), small, x);

const nearest = (x: Value): Value => unlessWhole(x, nearestSmall(x));

function floor(x: Value): Value {
  const whole = nearestSmall(x);
  return unlessWhole(x, whole.sub(whole.gt(x).toF32()));
}

/** The four roundings, with the signs of zero and the special values of the instructions. */
export const roundings: Readonly<Partial<Record<UnaryOp, (x: Value) => Value>>> = {
  floor,
  nearest,
  ceil: (x) => floor(x.neg()).neg(),
  trunc: (x) => withSignOf(x, floor(x.abs())),
};
