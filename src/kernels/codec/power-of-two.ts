/** Programs for powers of two without a sign: E8M0. */
import type { PowerCoding, Rounding } from "../../formats/format.ts";
import { ProgramError, select, u32, type Value } from "../program.ts";

/**
 * The exponent field of a float32, with the mantissa rounded into it. Between 2^-127 and 2^-126 the number is subnormal:
 * twice its bits less 2²³ is the same fixed-point logarithm there, and below nothing.
 *
 * @throws ProgramError for another exponent than float32's.
 */
export function encodePower(
  { exponentBits, bias }: PowerCoding,
  x: Value,
  rounding: Rounding,
  noise?: Value,
): Value {
  if (exponentBits !== 8 || bias !== 127)
    throw new ProgramError(`powers of two with ${exponentBits} bits and bias ${bias}: wants 8 and 127`);
  const bits = x.asI32().max(0);
  const fixed = bits
    .sub(2 ** 23)
    .min(0)
    .add(bits)
    .max(0);
  const below = addend(fixed, rounding, noise);
  const code = (below ? fixed.add(below) : fixed).shr(23).min(254).asU32();
  return select(x.eq(x), code, u32(255));
}

function addend(fixed: Value, rounding: Rounding, noise: Value | undefined): Value | number | null {
  if (rounding === "stochastic" && noise) return noise.shr(9).asI32();
  if (rounding === "nearest-even") return fixed.shr(23).and(1).add(2 ** 22 - 1); // prettier-ignore
  return rounding === "nearest-away" ? 2 ** 22 : null;
}

/** Code 0 is the subnormal 2^-127, code 255 NaN. */
export function decodePower(_: PowerCoding, code: Value): Value {
  const power = code.shl(23).max(0x00400000);
  return select(code.eq(255), u32(0x7fc00000), power).asF32();
}
