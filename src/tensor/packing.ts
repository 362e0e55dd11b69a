/**
 * Codes of few bits, packed. n codes are counted up to a multiple of four, m = 4 ⌈n / 4⌉, and lie in planes:
 *
 * - low plane, m / 2 bytes: the low 4 bits of code 2i in the low half of byte i, of code 2i + 1 in its high half;
 * - high plane, m / 4 bytes, for codes of 5 and 6 bits only: bits 4 and 5 of codes 4i … 4i + 3 in byte i, lowest first.
 *
 * Both planes are read and written by words of four codes.
 */

/** Bits that a code of so many bits occupies: 4, 6, 8 or 16. Those of 8 and 16 are not packed. */
export function packedBits(bits: number): 4 | 6 | 8 | 16 {
  return bits <= 4 ? 4 : bits <= 6 ? 6 : bits <= 8 ? 8 : 16;
}

/** Bytes of `count` packed codes. */
export function packedBytes(count: number, bits: number): number {
  return lowPlaneBytes(count) + (packedBits(bits) === 6 ? Math.ceil(count / 4) : 0);
}

/** Where the high plane begins. */
export const lowPlaneBytes = (count: number): number => 2 * Math.ceil(count / 4);

/** Codes from packed bytes. */
export function unpackCodes(bytes: Uint8Array, count: number, bits: number): Uint8Array {
  const high = lowPlaneBytes(count);
  const six = packedBits(bits) === 6;
  return Uint8Array.from({ length: count }, (_, i) => {
    const low = (bytes[i >> 1] >> (4 * (i & 1))) & 15;
    return six ? low | (((bytes[high + (i >> 2)] >> (2 * (i & 3))) & 3) << 4) : low;
  });
}

/** Sets the codes past the last one, which fill up its word, to 0: kernels leave anything there. */
export function clearSpare(bytes: Uint8Array, count: number, bits: number): Uint8Array {
  const high = lowPlaneBytes(count);
  for (let i = count; i < 4 * Math.ceil(count / 4); i++) {
    bytes[i >> 1] &= ~(15 << (4 * (i & 1)));
    if (packedBits(bits) === 6) bytes[high + (i >> 2)] &= ~(3 << (2 * (i & 3)));
  }
  return bytes;
}

/** Packed bytes from codes; what fills up the last word is 0. */
export function packCodes(codes: ArrayLike<number>, bits: number): Uint8Array {
  const count = codes.length;
  const bytes = new Uint8Array(packedBytes(count, bits));
  const high = lowPlaneBytes(count);
  const six = packedBits(bits) === 6;
  for (let i = 0; i < count; i++) {
    bytes[i >> 1] |= (codes[i] & 15) << (4 * (i & 1));
    if (six) bytes[high + (i >> 2)] |= ((codes[i] >> 4) & 3) << (2 * (i & 3));
  }
  return bytes;
}
