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

/** A float32 in [0, 1) from 32 random bits: the upper 24, as a fraction. */
export function uniformFloat(bits: number): number {
  return (bits >>> 8) * 2 ** -24;
}
