/** Programs for formats that are the leading bits of a float32: bf16. */
import type { Coding } from "../../formats/format.ts";
import { select, u32, type Value } from "../program.ts";

type FloatCoding = Extract<Coding, { kind: "float" }>;

/**
 * Rounds on the bits: a carry out of the mantissa goes into the exponent, and from the largest number to Inf. Inf stays: what
 * is added never reaches its kept bits.
 *
 * - nearest even adds just under half a step, and the kept lowest bit;
 * - stochastic adds the upper random bits below the step.
 */
export function encodeFloat({ mantissaBits }: FloatCoding, x: Value, noise: Value | undefined): Value {
  const dropped = 23 - mantissaBits;
  const bits = x.asU32();
  const below = noise
    ? noise.shr(32 - dropped)
    : bits
        .shr(dropped)
        .and(1)
        .add(2 ** (dropped - 1) - 1);
  const isNaN = bits.and(0x7fffffff).gt(0x7f800000);
  const quietNaN = u32(0x7fc00000 >>> dropped);
  return select(isNaN, quietNaN, bits.add(below).shr(dropped));
}

export function decodeFloat({ mantissaBits }: FloatCoding, code: Value): Value {
  return code.shl(23 - mantissaBits).asF32();
}
