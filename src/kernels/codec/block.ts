/** Programs for the scales of blocks: equal to `src/formats/quantise-block.ts` bit for bit, by integers on a float's bits. */
import { exponentCarry, topExponent, type BlockFormat } from "../../formats/block-format.ts";
import type { Rounding } from "../../formats/format.ts";
import { decodeValue, encodeValue } from "../codec.ts";
import { i32, select, u32, type Value } from "../program.ts";

const INFINITY_BITS = 0x7f800000;
const NAN_BITS = 0x7fc00000;
/** 2^-127, a subnormal number. */
const LEAST_BITS = 0x00400000;
/** The code of E8M0 for NaN, and the largest for a number. */
const EXPONENT_NAN = 255;
const EXPONENT_TOP = 254;

/** |x|, and infinity for NaN: what a block's maximum is taken over, since maxima drop a NaN or not as they please. */
export const magnitude = (x: Value): Value => x.asI32().and(0x7fffffff).min(INFINITY_BITS).asF32();

/** |x| of finite numbers, 0 for the others: what a tensor's scale is found from. */
export function finiteMagnitude(x: Value): Value {
  const bits = x.asI32().and(0x7fffffff);
  return select(bits.lt(INFINITY_BITS), bits, i32(0)).asF32();
}

/**
 * The code (u32) of a block's scale.
 *
 * @param top          the largest {@link magnitude} of the block.
 * @param tensorScale  the tensor's scale, for formats that have one.
 */
export function blockScaleCode(format: BlockFormat, top: Value, tensorScale: Value | null): Value {
  const { element, scale } = format;
  const finite = top.asI32().lt(INFINITY_BITS);
  if (tensorScale) {
    const quotient = top.div(element.info.max).div(tensorScale).max(scale.info.minPositive);
    const nan = u32(scale.encode(NaN, "nearest-even", 0));
    return select(finite, encodeValue(scale, quotient, "nearest-even"), nan);
  }
  const field = top.asI32().add(exponentCarry(format)).asU32().shr(23).asI32();
  const code = field.sub(topExponent(element)).max(0).min(EXPONENT_TOP);
  return select(finite, code, EXPONENT_NAN).asU32();
}

/** The scale (f32) of a code: what elements are multiplied by. */
export function blockScaleValue(format: BlockFormat, code: Value, tensorScale: Value | null): Value {
  if (tensorScale) return decodeValue(format.scale, code).mul(tensorScale);
  const bits = select(code.eq(0), u32(LEAST_BITS), code.shl(23));
  return select(code.eq(EXPONENT_NAN), u32(NAN_BITS), bits).asF32();
}

/**
 * What a block's elements are divided by or, where the scale is a power of two, multiplied with: f32, see
 * {@link blockElement}.
 */
export function blockDivisor(format: BlockFormat, code: Value, tensorScale: Value | null): Value {
  if (tensorScale) return blockScaleValue(format, code, tensorScale);
  const bits = select(code.ge(EXPONENT_TOP), u32(LEAST_BITS), u32(EXPONENT_TOP).sub(code).shl(23));
  return select(code.eq(EXPONENT_NAN), u32(NAN_BITS), bits).asF32();
}

/** The code (u32) of an element. */
export function blockElement(
  format: BlockFormat,
  x: Value,
  divisor: Value,
  rounding: Rounding,
  bits?: Value,
): Value {
  const { element, tensorScale } = format;
  const scaled = tensorScale ? x.div(divisor) : x.mul(divisor);
  return encodeValue(element, saturated(format, scaled), rounding, bits);
}

/** Formats that overflow to infinity saturate as elements of a block. */
function saturated({ element: { coding, info } }: BlockFormat, x: Value): Value {
  const overflows = coding.kind === "float" && coding.overflow === "infinity";
  return overflows ? x.clamp(-info.max, info.max) : x;
}
