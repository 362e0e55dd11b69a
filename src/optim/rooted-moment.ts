/** A first moment kept in units of the root of a second one, both on ladders: their rungs add up. */
import { format as formatOf } from "../formats/index.ts";
import type { LadderCoding } from "../formats/format.ts";
import { roundsInStep, roundToLadder } from "../kernels/codec/ladder-step.ts";
import type { Value } from "../kernels/program.ts";
import type { Held } from "./held.ts";

/** What m / (√v · times) and v / scale are held in. */
export interface Rooted {
  readonly first: LadderCoding;
  readonly second: LadderCoding;
  readonly times: number;
  readonly scale: number;
}

const coded = (held: Held): LadderCoding | null => {
  if (held?.rounding !== "stochastic") return null;
  const { coding } = formatOf(held.format);
  return coding.kind === "ladder" && roundsInStep(coding) ? coding : null;
};

/** The two ladders, where moments on them can be rounded by their rungs alone; else null. */
export function rootedLadders(
  first: Held,
  second: Held,
): { readonly first: LadderCoding; readonly second: LadderCoding } | null {
  const [m, v] = [coded(first), coded(second)];
  return m?.signed && v && !v.signed ? { first: m, second: v } : null;
}

/**
 * The code of m, in units of the root of the second moment as stored:
 *
 *   k = ⌊γ (log₂|m| - ½ log₂ v - log₂ times) + u⌋ + K,   log₂ v = (k_v - K_v) / γ_v + log₂ scale
 *
 * Where a rung of v's root is a whole number of rungs of m's ladder, whole rungs are subtracted after the rounding. One
 * logarithm and a code take the place of a look-up of 1/√v, which would have to leave the vector registers,
 * and a product. A second moment of code 0 counts as one rung below its lowest.
 */
export function writeRooted(
  { first, second, times, scale }: Rooted,
  m: Value,
  ofSecond: Value,
  bits: Value,
): Value {
  const octaves = second.rungs / (2 * second.rungsPerOctave) - Math.log2(times) - Math.log2(scale) / 2;
  const rungs = first.rungsPerOctave / (2 * second.rungsPerOctave);
  const less =
    rungs >= 1
      ? { rungsLess: ofSecond.shl(Math.log2(rungs)).asI32() }
      : { less: ofSecond.shl(22 - Math.log2(second.rungsPerOctave)).asI32() };
  return roundToLadder(first, m, bits, { octaves, ...less, nan: "infinity" });
}
