/** Normally distributed numbers, for initial weights. */
import { philox4x32, type Key } from "./philox.ts";

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
  const block = Math.floor(index / 2);
  const words = philox4x32([block >>> 0, Math.floor(block / 2 ** 32), 0, 0], key);
  const radius = Math.sqrt(-2 * Math.log(positiveUniform(words[0], words[1])));
  const angle = 2 * Math.PI * positiveUniform(words[2], words[3]);
  return radius * (index % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
}
