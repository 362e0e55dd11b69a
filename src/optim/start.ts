/** What a parameter starts from, before anything of it is placed in memory. */
import { randomBits, uniformFloat } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import { isScaled } from "./held.ts";
import type { Rule } from "./rule.ts";
import { rootMeanSquareOf, startingValues, type Zeros } from "./zeros.ts";

const UNBOUNDED = 3.4028234663852886e38;

/** The top of an additive optimiser's weights in formats with a scale, in root mean squares: room for weights to grow. */
const DEFAULT_TOP = 16;

type Numbers = Float32Array | Float64Array;

export interface Start {
  /** The initial weights: the very array that was given where nothing changes. */
  readonly values: Numbers;
  /** Root mean square of the weights given, zeros treated. */
  readonly rms: number;
  /** σ* */
  readonly top: number;
}

/**
 * Whether zero weights never move under the rule: multiplicative ones, but for those with parts in a weight's place, which
 * are made so that zeros move.
 */
export const multiplies = ({ optimizer, options }: Rule): boolean =>
  !optimizer.materialise && (optimizer.reach?.(options) ?? null) !== null;

/** A pure function of the weights given, seed and name of the parameter. */
export function startOf(rule: Rule, name: string, given: Numbers, zeros: Zeros, seed: number): Start {
  const { optimizer, options, variant } = rule;
  const moved = multiplies(rule) ? startingValues(given, name, zeros, seed) : given;
  const rms = rootMeanSquareOf(moved);
  const top = topOf(rule, optimizer.clampUnit?.(options, rms) ?? rms);
  const [key0, key1] = streamKey(seed, name, 0, "optimiser's initial weights");
  const random = (index: number): number => uniformFloat(randomBits(index, key0, key1));
  const values = optimizer.initial?.(moved, { options, variant, scale: top, random }) ?? moved;
  return { values, rms, top };
}

/**
 * σ*: the policy's number, or a multiple of `size`, the initial root mean square for most; without either, what float32
 * holds.
 */
function topOf({ optimizer, options, precision: { weight } }: Rule, size: number): number {
  if (isScaled(weight) && typeof weight.scale === "number") return weight.scale;
  const multiple = optimizer.clampScale?.(options) ?? (isScaled(weight) ? DEFAULT_TOP : null);
  if (multiple === null) return UNBOUNDED;
  // An all-zero tensor on a ladder has no scale: any will do, as its weights stay zero or, under an additive rule, grow.
  return isScaled(weight) && size === 0 ? 1 : multiple * size;
}
