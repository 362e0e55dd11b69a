/** Programs for binary floating point, on the bits of the float32. */
import { specialCodes } from "../../formats/float.ts";
import type { FloatCoding, Rounding } from "../../formats/format.ts";
import { select, u32, type Value } from "../program.ts";

const INFINITY_BITS = 0x7f800000;

/** Whether the codes are the leading bits of a float32: bf16. */
const leadsFloat32 = ({ exponentBits, bias, specials }: FloatCoding): boolean =>
  exponentBits === 8 && bias === 127 && specials === "ieee";

/**
 * The code of x. A carry out of the rounded mantissa goes into the exponent, as it should.
 *
 * @param noise random bits for `stochastic`; the upper ones are taken.
 */
export function encodeFloat(coding: FloatCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  return leadsFloat32(coding)
    ? encodeLeading(coding, x, rounding, noise)
    : encodeNarrow(coding, x, rounding, noise);
}

/** What is added to a number whose `dropped` lowest bits are cut off next. */
function addend(kept: Value, dropped: number, rounding: Rounding, noise: Value | undefined): Value {
  const half = 2 ** (dropped - 1);
  if (rounding === "stochastic" && noise) return noise.shr(32 - dropped);
  if (rounding === "nearest-even") return kept.and(1).add(half - 1);
  return u32(rounding === "nearest-away" ? half : 0);
}

/** Sign and all: what is added never reaches the kept bits of Inf. */
function encodeLeading({ mantissaBits }: FloatCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  const dropped = 23 - mantissaBits;
  const bits = x.asU32();
  const rounded = bits.add(addend(bits.shr(dropped), dropped, rounding, noise)).shr(dropped);
  const isNaN = bits.and(0x7fffffff).asI32().gt(INFINITY_BITS);
  return select(isNaN, u32(0x7fc00000 >>> dropped), rounded);
}

/** Rounds the magnitude, saturates it, and puts the sign and NaN in place. */
function encodeNarrow(coding: FloatCoding, x: Value, rounding: Rounding, noise?: Value): Value {
  const special = specialCodes(coding);
  const magnitude = x.asI32().and(0x7fffffff);
  const rounded =
    rounding === "nearest-even"
      ? nearestEven(coding, magnitude)
      : carried(coding, magnitude, rounding, noise);
  const stops = rounding === "floor" && special.overflowed !== special.largest;
  const kept = rounded.min(stops ? special.largest : special.overflowed);
  const finite = stops ? select(magnitude.eq(INFINITY_BITS), special.overflowed, kept) : kept;
  const sign = x
    .asU32()
    .shr(31)
    .shl(coding.exponentBits + coding.mantissaBits);
  const code = finite.asU32().or(sign);
  if (coding.specials === "none") return select(x.eq(x), code, 0);
  return select(magnitude.gt(INFINITY_BITS), u32(special.nan), code);
}

/** Exponent field of a float32 less that of the format, in place. */
const rebias = ({ bias }: FloatCoding): number => (127 - bias) * 2 ** 23;
/** Bits of the smallest normal number, 2^(1 - bias), as a float32. */
const minNormalBits = ({ bias }: FloatCoding): number => (128 - bias) * 2 ** 23;

/**
 * Normal numbers round by adding just under half a step and the kept lowest bit. Subnormal ones by adding 2^23 times
 * their step, whose last place is that step, so that the addition of floats rounds.
 */
function nearestEven(coding: FloatCoding, magnitude: Value): Value {
  const dropped = 23 - coding.mantissaBits;
  const odd = magnitude.shr(dropped).and(1);
  const normal = magnitude.add(odd).add(2 ** (dropped - 1) - 1 - rebias(coding)).shr(dropped); // prettier-ignore
  const shift = 2 ** (24 - coding.bias - coding.mantissaBits);
  const shiftBits = (151 - coding.bias - coding.mantissaBits) * 2 ** 23;
  const subnormal = magnitude.asF32().add(shift).asI32().sub(shiftBits);
  return select(magnitude.lt(minNormalBits(coding)), subnormal, normal);
}

/**
 * The other roundings cut a fixed-point number with as many places as a normal mantissa drops. What subnormal numbers
 * have beyond them does not change where half a step, nothing, or so many random bits carry.
 */
function carried(coding: FloatCoding, magnitude: Value, rounding: Rounding, noise: Value | undefined): Value {
  const dropped = 23 - coding.mantissaBits;
  const subnormal = magnitude.asF32().mul(2 ** (22 + coding.bias)).toI32(); // prettier-ignore
  const normal = magnitude.sub(rebias(coding));
  const fixed = select(magnitude.lt(minNormalBits(coding)), subnormal, normal);
  if (rounding === "floor") return fixed.shr(dropped);
  return fixed.add(addend(magnitude.asU32(), dropped, rounding, noise).asI32()).shr(dropped);
}

/** The value of a code; of formats whose codes are no leading bits, by exponent arithmetic. */
export function decodeFloat(coding: FloatCoding, code: Value): Value {
  if (leadsFloat32(coding)) return code.shl(23 - coding.mantissaBits).asF32();
  const { largest } = specialCodes(coding);
  const magnitude = code.and(2 ** (coding.exponentBits + coding.mantissaBits) - 1);
  const shifted = magnitude.shl(23 - coding.mantissaBits).asI32();
  const normal = shifted.add(rebias(coding));
  const subnormal = shifted.add(minNormalBits(coding)).asF32().sub(2 ** (1 - coding.bias)).asI32(); // prettier-ignore
  const finite = select(shifted.lt(2 ** 23), subnormal, normal);
  const value = select(magnitude.gt(largest), shifted.or(INFINITY_BITS), finite).asU32();
  const sign = code.shr(coding.exponentBits + coding.mantissaBits).shl(31);
  return value.or(sign).asF32();
}
