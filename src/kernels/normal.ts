/** Normal numbers inside kernels, from random bits. */
import { f32, type Value } from "./program.ts";

/** sin φ / φ and cos φ for |φ| ≤ π/4, in powers of φ², highest first: their series, right to 3·10⁻⁹ and 3·10⁻⁸ there. */
const SINE = [1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1];
const COSINE = [1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1];

const polynomial = ([first, ...rest]: readonly number[], x: Value): Value =>
  rest.reduce<Value>((sum, coefficient) => sum.fma(x, coefficient), f32(first));

/** (2 b + 1) / 2²⁴ - offset from the upper 23 bits b: exact, neither 0 nor 1. */
const fraction = (bits: Value, offset: number): Value =>
  bits
    .shr(9)
    .asI32()
    .toF32()
    .fma(2 ** -23, 2 ** -24 - offset);

/** 1 or -1 by the bit at a place. */
const signAt = (bits: Value, place: number): Value =>
  bits
    .shl(31 - place)
    .shr(31)
    .asI32()
    .toF32()
    .fma(-2, 1);

/**
 * Two independent numbers from the standard normal distribution, by Box and Muller from two words of random bits:
 *
 *   r = √(-2 ln u),   z₁ = ± r cos θ,   z₂ = ± r sin θ,   θ uniform in (0, π/2)
 *
 * u and θ from the upper 23 bits of each word, the signs from the second word's lowest bits. |z| ≤ 5.8. With
 * φ = θ - π/4, √2 cos θ = cos φ - sin φ and √2 sin θ = cos φ + sin φ. About 35 operations for both, of which one logarithm
 * and one root.
 *
 * @source Box and Muller 1958, A note on the generation of random normal deviates.
 */
export function normalPair(first: Value, second: Value): readonly [Value, Value] {
  const root = fraction(first, 0).log().neg().sqrt();
  const angle = fraction(second, 0.5).mul(Math.PI / 2);
  const square = angle.mul(angle);
  const sine = polynomial(SINE, square).mul(angle);
  const cosine = polynomial(COSINE, square);
  return [
    root.mul(cosine.sub(sine)).mul(signAt(second, 0)),
    root.mul(cosine.add(sine)).mul(signAt(second, 1)),
  ];
}
