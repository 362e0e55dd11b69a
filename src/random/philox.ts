/** Philox4x32-10: random bits as a pure function of a counter and a key. */

export type Words4 = readonly [number, number, number, number];
/** Two u32 words. */
export type Key = readonly [number, number];

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Upper 32 bits of the 64-bit product of two u32. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const bHigh = b >>> 16;
  const aLow = a & 0xffff;
  const bLow = b & 0xffff;
  const cross = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle = aLow * bHigh + (cross % 0x10000);
  return (aHigh * bHigh + Math.floor(cross / 0x10000) + Math.floor(middle / 0x10000)) >>> 0;
}

/**
 * Ten rounds of Philox4x32: four u32 words from a counter of four and a key of two. For keys and for draws made
 * once (initial weights); elements of a tensor take the far cheaper `randomBits`.
 *
 * @source Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3, section 4.2.
 */
export function philox4x32(counter: Words4, key: Key): Words4 {
  const words = new Uint32Array(4);
  words.set(counter);
  philoxRounds(words, key);
  return [words[0], words[1], words[2], words[3]];
}

/** {@link philox4x32} of block `block` of a key's stream, into an array of four: no garbage for each of many blocks. */
export function philoxBlock(block: number, key: Key, words: Uint32Array): void {
  words[0] = block;
  words[1] = Math.floor(block / 2 ** 32);
  words[2] = 0;
  words[3] = 0;
  philoxRounds(words, key);
}

function philoxRounds(words: Uint32Array, key: Key): void {
  let c0 = words[0];
  let c1 = words[1];
  let c2 = words[2];
  let c3 = words[3];
  let k0 = key[0];
  let k1 = key[1];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, c0);
    const high1 = multiplyHigh(M1, c2);
    const low0 = Math.imul(M0, c0) >>> 0;
    const low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c1 = low1;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}
