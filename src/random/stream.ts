/** Keys: which random bits belong to a seed, a tensor, a step and a purpose. */
import { philox4x32, type Key } from "./philox.ts";

export type { Key } from "./philox.ts";

/** FNV-1a over the UTF-16 code units, low byte and high byte each: a name as a u32. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}

const highWord = (n: number): number => Math.floor(n / 2 ** 32) >>> 0;

/**
 * The key of a stream of random bits:
 *
 *   philox4x32(counter = [hash(tensor), hash(purpose), step mod 2³², ⌊step / 2³²⌋], key = seed as two words)[0 … 1]
 *
 * A pure function: nothing to store, the same for any number of threads, exact on resume.
 *
 * @param seed    a run's seed, a non-negative integer.
 * @param tensor  the tensor's name, or anything else that tells streams apart.
 * @param step    counted from 0 or 1, as the caller likes; a non-negative integer.
 * @param purpose what the bits are for: "init", "dropout", "weight rounding".
 * @throws RangeError when seed or step is not a non-negative safe integer.
 */
export function streamKey(seed: number, tensor: string, step: number, purpose: string): Key {
  expectCount("seed", seed);
  expectCount("step", step);
  const counter = [hashName(tensor), hashName(purpose), step >>> 0, highWord(step)] as const;
  const words = philox4x32(counter, [seed >>> 0, highWord(seed)]);
  return [words[0], words[1]];
}

function expectCount(what: string, n: number): void {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new RangeError(`logrung: ${what} is ${n}, wants an integer from 0 to 2^53 - 1`);
}
