/** Random bits inside kernels: the programs of `src/random/random-bits.ts`, equal to it bit for bit. */
import { randomMultipliers, spread } from "../random/random-bits.ts";
import type { Value } from "./program.ts";

/**
 * 32 random bits (u32) of element `index` in the stream of a key. All three are u32; the keys are uniforms, made by
 * `streamKey` for each tensor, step and purpose. 10 integer operations.
 */
export function randomBits(index: Value, key0: Value, key1: Value): Value {
  const x = index.add(key0);
  const y = x.xor(x.shr(16)).mul(randomMultipliers[0]);
  const z = y.xor(y.shr(15)).xor(key1).mul(randomMultipliers[1]);
  return z.xor(z.shr(16));
}

/** 32 random bits (u32) of element `index` for roundings. 6 operations beside those that count elements. */
export function roundingBits(index: Value, key: Value): Value {
  const x = index.mul(spread).add(key);
  const y = x.xor(x.shr(15)).mul(randomMultipliers[1]);
  return y.xor(y.shr(16));
}

/** Another 32 random bits, from some that are: z = x · M₀; z ^= z ≫ 15. A bijection, whose bits are far from its argument's. */
export function furtherBits(bits: Value): Value {
  const product = bits.mul(randomMultipliers[0]);
  return product.xor(product.shr(15));
}

/** A float32 in [0, 1) from 32 random bits: the upper 24, as a fraction. */
export function uniformFloat(bits: Value): Value {
  return bits
    .shr(8)
    .asI32()
    .toF32()
    .mul(2 ** -24); // signed: SIMD converts it in one instruction
}
