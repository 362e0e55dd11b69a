/** Cheap random bits, one u32 for every element of a tensor. */

/**
 * 32 random bits of element `index` in the stream of a key (from `streamKey`):
 *
 *   x = index + key0;  x ^= x ≫ 16;  x *= M₀;  x ^= x ≫ 15;  x ^= key1;  x *= M₁;  x ^= x ≫ 16
 *
 * Two rounds of multiply and xor-shift, 10 integer operations, where Philox takes about 100. The first key moves
 * along the index, the second separates streams whose moved indices meet; so keys must be random words, as `streamKey`
 * makes them: second keys that differ in few bits give correlated streams. For one key it is a bijection of the index.
 *
 * @source the multipliers and shifts are those of lowbias32: Wellons 2018, Prospecting for hash functions.
 */
export function randomBits(index: number, key0: number, key1: number): number {
  let x = (index + key0) | 0;
  x = Math.imul(x ^ (x >>> 16), randomMultipliers[0]);
  x = Math.imul(x ^ (x >>> 15) ^ key1, randomMultipliers[1]);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The two multipliers of `randomBits`. */
export const randomMultipliers = [0x7feb352d, 0x846ca68b] as const;

/** An odd number near 2³² / golden ratio. */
export const spread = 0x9e3779b1;

/**
 * 32 random bits of element `index` for what is drawn once a tensor and then led on by {@link weylPhase}: the roundings of
 * an optimiser's state.
 *
 *   x = index · G + key;  x ^= x ≫ 15;  x *= M₁;  x ^= x ≫ 16
 *
 * The first product is one addition where elements are gone through in order; with it 8 operations less a tensor's
 * element than `randomBits` takes. Keys shift one sequence, a bijection of the index, to unrelated places.
 */
export function roundingBits(index: number, key: number): number {
  let x = (Math.imul(index, spread) + key) | 0;
  x = Math.imul(x ^ (x >>> 15), randomMultipliers[1]);
  return (x ^ (x >>> 16)) >>> 0;
}

/** A float32 in [0, 1) from 32 random bits: the upper 24, as a fraction. */
export function uniformFloat(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}

/** 2³² / golden ratio, odd. */
const GOLDEN = 0x9e3779b9;

/**
 * What to add to an element's random bits at step t, modulo 2³², so that they run through a Weyl sequence:
 *
 *   u_t = frac(u₀ + t / φ),   φ the golden ratio
 *
 * Over the elements u_t is uniform at every step. For one element the steps are spread as evenly as can be: of T
 * steps that should each go up with probability f, T·f ± O(log T) do, where independent draws give ± √(T f (1-f)).
 *
 * @param t  a non-negative integer.
 * @source Weyl 1916, Über die Gleichverteilung von Zahlen mod. Eins; the golden ratio has the least discrepancy.
 */
export const weylPhase = (t: number): number => Math.imul(t % 2 ** 32, GOLDEN) >>> 0;
