/** Where rounding moves from one value of a list to the next, as keys of float32 numbers: exact. */
import { float32Bits, float32OfBits } from "./float32-bits.ts";

/** An integer that rises with the float32: its bits, those below the sign inverted when negative. -0 is just below 0. */
export function orderKey(x: number): number {
  const bits = float32Bits(x) | 0;
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

/** The float32 of a key. */
const ofKey = (key: number): number => float32OfBits((key ^ ((key >> 31) & 0x7fffffff)) >>> 0);

/** A value and its code. */
export interface Entry {
  readonly value: number;
  readonly code: number;
}

/** Where nearest rounding changes between two magnitudes. */
export type Midpoint = (low: number, high: number) => number;

/** The first key that is rounded towards zero to `high`, not to `low` below it. */
export function floorThreshold(low: Entry, high: Entry): number {
  if (low.value < 0 && high.value <= 0) return orderKey(low.value) + 1;
  return low.value >= 0 && high.value > 0 ? orderKey(high.value) : 0;
}

/** Whether x = midpoint goes up. */
export type TieRule = (low: Entry, high: Entry) => boolean;

/** To the even code; where both or neither are, to the smaller magnitude. */
export const evenTies: TieRule = (low, high) =>
  low.code % 2 === high.code % 2 ? Math.abs(high.value) < Math.abs(low.value) : high.code % 2 === 0;

/** To the larger magnitude; upwards where they are equal. */
export const awayTies: TieRule = (low, high) => Math.abs(high.value) >= Math.abs(low.value);

/** The first key that is rounded to the nearest of two neighbours upwards. */
export function nearestThreshold(low: Entry, high: Entry, ties: TieRule, midpoint?: Midpoint): number {
  if (low.value === 0 && high.value === 0) return 0;
  const { sum, error } = twiceMidpoint(low.value, high.value, midpoint);
  const goesUp = (x: number): boolean => {
    const side = 2 * x - sum || -error;
    return side > 0 || (side === 0 && ties(low, high));
  };
  let key = orderKey(sum / 2) - 3;
  while (!goesUp(ofKey(key))) key++;
  return key;
}

/** low + high as a float64 and its rounding error (Knuth's two-sum); or twice one's own midpoint. */
function twiceMidpoint(low: number, high: number, midpoint: Midpoint | undefined) {
  if (midpoint && low >= 0) return { sum: 2 * midpoint(low, high), error: 0 };
  if (midpoint && high <= 0) return { sum: -2 * midpoint(-high, -low), error: 0 };
  const sum = low + high;
  const part = sum - low;
  return { sum, error: low - (sum - part) + (high - part) };
}
