/** The logarithm of `src/formats/log2-fixed.ts` as a program. */
import { roundingMagic } from "../../formats/log2-fixed.ts";
import { f32, type Value } from "../program.ts";

/**
 * `log2Fixed` plus `roundingMagicBits`, which the caller takes off with its own constants: the operations of
 * `log2Fixed`, each rounded once, so bits are equal everywhere.
 *
 * @param fixed bits (i32) of a positive normal float32, or a subnormal one put into the same form.
 */
export function log2FixedPlus(fixed: Value, coefficients: readonly number[]): Value {
  const significand = fixed.and(0x7fffff).or(0x3f800000).asF32();
  const y = significand.sub(1.5);
  const ends = f32(0.25).sub(y.mul(y));
  const [top, ...rest] = coefficients.toReversed();
  const q = rest.reduce<Value>((sum, c) => sum.mul(y).add(c), f32(top));
  return fixed.add(q.mul(ends).add(roundingMagic).asI32());
}
