/** Normal numbers inside kernels, from random bits. */
import { f32, select, type Value } from "./program.ts";

/** Coefficients of erf⁻¹(x) / x in w - 2.5 where w < 5, and in √w - 3 elsewhere; w = -log(1 - x²). Highest power first. */
const NEAR = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
  0.246640727, 1.50140941,
]; // prettier-ignore
const FAR = [
  -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3,
  1.00167406, 2.83297682,
]; // prettier-ignore

const polynomial = ([first, ...rest]: readonly number[], x: Value): Value =>
  rest.reduce<Value>((sum, coefficient) => sum.fma(x, coefficient), f32(first));

/**
 * A number from the standard normal distribution, by inversion: z = √2 erf⁻¹(x), x = (2 b + 1) / 2²³ - 1 from the upper 23 bits b.
 *
 * |z| ≤ 5.3. The approximation of erf⁻¹ is right to a few 10⁻⁷ of its value; about 30 operations, of which one logarithm and
 * one root.
 *
 * @source Giles 2010, Approximating the erfinv function, single-precision coefficients.
 */
export function normalFloat(bits: Value): Value {
  const x = bits
    .shr(9)
    .asI32()
    .toF32()
    .fma(2 ** -22, 2 ** -23 - 1);
  const w = f32(1).sub(x).mul(x.add(1)).log().neg();
  const ratio = select(w.lt(5), polynomial(NEAR, w.sub(2.5)), polynomial(FAR, w.sqrt().sub(3)));
  return ratio.mul(x).mul(Math.SQRT2);
}
