/** What the two kinds of ladder have in common, for those that move codes by rungs. */
import type { ScalarFormat } from "./scalar-format.ts";

/** A signed format of equal ratios: neighbouring codes differ by one factor. */
export interface Rungs {
  /** How many rungs a factor of two is; no whole number for natural ladders. */
  readonly perOctave: number;
  /** The magnitude field of the top rung, all ones; the sign bit lies above it. */
  readonly top: number;
  /** Whether field 0 is zero instead of the lowest rung. */
  readonly hasZero: boolean;
}

/** The rungs of a signed ladder; null for other formats. */
export function rungsOf({ coding }: ScalarFormat): Rungs | null {
  if (coding.kind === "natural-ladder")
    return { perOctave: Math.LN2 / coding.step, top: 2 ** coding.magnitudeBits - 1, hasZero: false };
  if (coding.kind === "ladder" && coding.signed)
    return { perOctave: coding.rungsPerOctave, top: coding.rungs, hasZero: true };
  return null;
}
