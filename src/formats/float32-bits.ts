/** The 32 bits of a float32 and back. */
const floats = new Float32Array(1);
const words = new Uint32Array(floats.buffer);

/** Bits of `x` rounded to float32, as an unsigned number. */
export function float32Bits(x: number): number {
  floats[0] = x;
  return words[0];
}

/** The float32 with these bits. */
export function float32OfBits(bits: number): number {
  words[0] = bits;
  return floats[0];
}
