/** Dropout, its mask drawn again in the backward pass rather than kept. */
import { pointwise } from "../kernels/pointwise.ts";
import { f32, index, select } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, output } from "../kernels/signature.ts";
import type { Key } from "../random/stream.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { map, mapOver } from "./pointwise-op.ts";

const kernel = pointwise(
  "dropout",
  { x: element("f32") },
  { key0: "u32", key1: "u32", threshold: "u32", gain: "f32" },
  ({ x, key0, key1, threshold, gain }) => ({
    y: output("f32", select(randomBits(index(), key0, key1).ge(threshold), x.mul(gain), f32(0))),
  }),
);

const uniformsOf = (p: number, [key0, key1]: Key) => ({
  key0,
  key1,
  threshold: Math.floor(p * 2 ** 32),
  gain: 1 / (1 - p),
});

/** x / (1-p) with probability 1-p, else 0, by the draw of {@link dropout}; not recorded on the tape. */
export const dropped = (x: Tensor, p: number, key: Key): Tensor => map(kernel, x, { x }, uniformsOf(p, key));

/**
 *   y = x / (1-p) with probability 1-p, else 0;   dx the same of dy, with the same draw
 *
 * The draw of element i is a function of (key, i) alone, so it needs no memory, is the same on every backend and
 * for any number of threads.
 *
 * @param p    probability of dropping, 0 ≤ p < 1; 0 returns x itself.
 * @param key  one for every use and step.
 * @throws RangeError when p is outside [0, 1).
 */
export function dropout(x: Tensor, p: number, key: Key): Tensor {
  if (!(p >= 0 && p < 1)) throw new RangeError(`logrung: dropout of ${p}, wants 0 <= p < 1`);
  if (p === 0) return x;
  const vjp = (dy: Tensor, owned: boolean): [Tensor] => [
    mapOver(kernel, x, dy, owned, { x: dy }, uniformsOf(p, key)),
  ];
  const y = mapOver(kernel, x, x, x.device.tape.isGiven(x), { x }, uniformsOf(p, key));
  return x.device.tape.record([x], y, [], vjp, []);
}
