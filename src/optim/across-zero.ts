/** Rounding an additive rule's weights to a ladder, down to zero and out of it on the other side. */
import type { ScalarFormat } from "../formats/index.ts";
import { encodeValue } from "../kernels/codec.ts";
import { roundToLadder } from "../kernels/codec/ladder-step.ts";
import { select, u32, type Value } from "../kernels/program.ts";
import type { TensorPrecision } from "../precision/policy.ts";

/**
 * The code of x / σ*. From the lowest rung up as the format rounds. Below it, stochastically, in value:
 *
 *   |x| < ℓ = 2^((1-K)/γ):   the lowest rung of x's sign with probability |x| / ℓ, else zero
 *
 * The format's own stochastic rounding is in the logarithm, where zero is infinitely far away: a step smaller than ℓ
 * would never leave zero. Here a weight passes through zero at about its mean pace, and so can change its sign.
 *
 * The bits u of a weight below zero are turned to 1 - u, so that a large u always rounds towards larger values, not
 * larger magnitudes. Where u walks a Weyl sequence, a weight then leaves zero as long after it came as a steady pace
 * takes; otherwise the u that brought it there would soon take it on.
 *
 * @param x     the new weight over σ*.
 * @param bits  32 random bits; needed for stochastic rounding.
 */
export function encodeAcrossZero(
  format: ScalarFormat,
  { rounding }: TensorPrecision,
  x: Value,
  bits: Value,
): Value {
  const { coding } = format;
  const signed = coding.kind === "ladder" && coding.signed;
  // Where the lowest rungs are subnormal, the format alone knows how to reach them.
  if (!signed || rounding !== "stochastic" || coding.rungs > 126 * coding.rungsPerOctave)
    return encodeValue(format, x, rounding, bits);
  const upwards = bits.xor(x.asI32().shr(31).asU32());
  const { rungs, rungsPerOctave } = coding;
  const size = x.asI32().and(0x7fffffff).asF32();
  const share = size.mul(2 ** ((rungs - 1) / rungsPerOctave));
  // |x| / ℓ + u ≥ 1: what is at least 2 has the upper exponent bit. Above ℓ the logarithm gives 1 at least.
  const leaves = share.add(fromOneToTwo(upwards)).asU32().shr(30);
  if (rungsPerOctave <= FINEST) return roundToLadder(coding, x, upwards, { least: leaves.asI32() });
  const lowest = x
    .asU32()
    .shr(31)
    .shl(Math.log2(rungs + 1))
    .or(1);
  const below = select(leaves.ne(0), lowest, u32(0));
  return select(share.lt(1), below, encodeValue(format, x, rounding, upwards));
}

/** The finest ladder that rounding in a step is good for: its logarithm is off by a thousandth of a rung there. */
const FINEST = 64;

/** A float32 in [1, 2) from the upper 23 random bits: they are its mantissa. */
export const fromOneToTwo = (bits: Value): Value => bits.shr(9).or(0x3f800000).asF32();
