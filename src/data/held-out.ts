/** Which examples of a set without parts validate. */
import { philox4x32 } from "../random/philox.ts";
import { streamKey } from "../random/stream.ts";

/** Numbers of examples, ascending. */
export interface HeldOut {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Parts `count` examples at random: ⌊fraction · count⌋ validate, at least one. A function of the seed, so that a resumed run has the
 * same parts.
 */
export function heldOut(count: number, fraction: number, seed: number): HeldOut {
  const key = streamKey(seed, "held out", 0, "parts");
  const rank = Float64Array.from({ length: count }, (_, i) => {
    const [high, low] = philox4x32([i, 0, 0, 0], key);
    return high * 2 ** 21 + (low >>> 11);
  });
  const order = Int32Array.from({ length: count }, (_, i) => i).toSorted((a, b) => rank[a] - rank[b]);
  const validating = Math.max(1, Math.floor(fraction * count));
  return { training: order.slice(validating).toSorted(), validation: order.slice(0, validating).toSorted() };
}
