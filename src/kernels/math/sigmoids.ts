/** tanh and erf. Coefficients by `tools/fit-expansions.ts`. */
import { f32, fma, select, type Value } from "../program.ts";

import { EXP2 } from "./exponentials.ts";
import { nearestInteger, polynomial, powerOfTwo, withSignOf } from "./parts.ts";

/** (tanh(x) / x - 1) / x² in x², on |x| ≤ 0.56; relative error of tanh x below 2⁻²⁴·⁵. */
const TANH = [-0.33332905173301697, 0.1331968605518341, -0.052601318806409836, 0.016297735273838043];
/** erf(x) / x - 1 in x², on |x| ≤ 1; error below 2⁻²⁴. */
const ERF = [
  0.12837912142276764, -0.3761231601238251, 0.11280076205730438, -0.02670816145837307, 0.004913846030831337,
  -0.0005616459529846907,
];
/** log₂(1 - erf(a)) on 1 ≤ a ≤ 4; error of erf below 2⁻²⁶. */
const LOG2_ERFC = [
  -0.0017350917914882302, -1.621044397354126, -0.9288454055786133, -0.14176498353481293, 0.028246073052287102,
  -0.0034650794696062803, 0.0001921111106639728,
];

/**
 * (2ᶠ - 1) / f on |f| ≤ ½; error of 2ᶠ below 2⁻²³: enough where 2ˣ is at most a sixth of what it is taken
 * from.
 */
const EXP2_COARSE = [
  0.6931470036506653, 0.24022246897220612, 0.0555071085691452, 0.009671292267739773, 0.0013269535265862942,
];

/** 2ˣ where it is a normal number. */
function ordinaryExp2(x: Value, coefficients: readonly number[]): Value {
  const { whole, bits } = nearestInteger(x);
  const f = x.sub(whole);
  return polynomial(f, [1, ...coefficients]).mul(powerOfTwo(bits));
}

/**
 * tanh x: an odd polynomial up to 0.56, and 1 - 2 / (e^(2|x|) + 1) beyond; past 9.02 that is 1 in float32.
 */
export function tanh(x: Value): Value {
  const size = x.abs();
  const square = size.mul(size);
  const near = fma(square.mul(polynomial(square, TANH)), size, size);
  const power = ordinaryExp2(size.min(10).mul(2 * Math.LOG2E), EXP2);
  const far = f32(1).sub(f32(2).div(power.add(1)));
  return withSignOf(x, select(size.lt(0.56), near, far));
}

/** erf x: an odd polynomial up to 1, and 1 - 2^(log₂ erfc) beyond; past 3.92 that is 1 in float32. */
export function erf(x: Value): Value {
  const size = x.abs();
  const near = fma(polynomial(size.mul(size), ERF), size, size);
  const far = f32(1).sub(ordinaryExp2(polynomial(size.min(4), LOG2_ERFC), EXP2_COARSE));
  return withSignOf(x, select(size.lt(1), near, far));
}
