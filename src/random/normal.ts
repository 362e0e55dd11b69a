/** Normally distributed numbers, for initial weights. */
import { philoxBlock, type Key } from "./philox.ts";

/** A float64 in (0, 1] with 53 bits, from two words: never 0, so its logarithm is finite. */
function positiveUniform(high: number, low: number): number {
  return ((high >>> 5) * 2 ** 26 + (low >>> 6) + 1) * 2 ** -53;
}

/**
 * Number `index` of the standard normal stream of a key, by Box and Muller on float64:
 *
 *   √(-2 ln u₁) · cos(2π u₂) for even indices, · sin(2π u₂) for odd ones
 *
 * with u₁, u₂ of Philox block ⌊index / 2⌋. Engines may differ in the last float64 bit of ln, cos and sin; rounded to
 * float32 that shows about once in 10⁸ draws.
 */
export function normal(key: Key, index: number): number {
  const words = new Uint32Array(4);
  philoxBlock(Math.floor(index / 2), key, words);
  return radiusOf(words) * (index % 2 === 0 ? Math.cos(angleOf(words)) : Math.sin(angleOf(words)));
}

/**
 * values[i] = deviation · normal(key, from + i), a pair from each block of random bits.
 *
 * @param from  even.
 */
export function fillNormal(values: Float32Array, from: number, key: Key, deviation: number): void {
  const words = new Uint32Array(4);
  for (let i = 0; i < values.length; i += 2) {
    philoxBlock((from + i) / 2, key, words);
    const radius = radiusOf(words);
    const angle = angleOf(words);
    values[i] = radius * Math.cos(angle) * deviation;
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle) * deviation;
  }
}

/** A point of the plane from four words. */
const radiusOf = (words: Uint32Array): number =>
  Math.sqrt(-2 * Math.log(positiveUniform(words[0], words[1])));
const angleOf = (words: Uint32Array): number => 2 * Math.PI * positiveUniform(words[2], words[3]);
