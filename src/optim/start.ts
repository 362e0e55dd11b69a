/** What a parameter starts from. */
import { randomBits, uniformFloat } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import { isScaled } from "./held.ts";
import type { Rule } from "./rule.ts";
import { remedyOf, type Change, type Facts, type Zeros } from "./zeros.ts";

const UNBOUNDED = 3.4028234663852886e38;

/** The top of an additive optimiser's weights in formats with a scale, in root mean squares: room for weights to grow. */
const DEFAULT_TOP = 16;

export interface Start {
  /** σ* */
  readonly top: number;
  /** The rule's own initial weights in place of those it is given; null where it takes these. */
  readonly change: Change | null;
}

/**
 * Whether zero weights never move under the rule: multiplicative ones, but for those with parts in a weight's place, which
 * are made so that zeros move.
 */
export const multiplies = ({ optimizer, options }: Rule): boolean =>
  !optimizer.materialise && (optimizer.reach?.(options) ?? null) !== null;

/**
 * What becomes of zeros in a tensor under the rule; null where nothing does.
 *
 * @param facts  of the weights given.
 */
export const zerosRemedy = (
  rule: Rule,
  name: string,
  facts: Facts,
  zeros: Zeros,
  seed: number,
): Change | null => (multiplies(rule) ? remedyOf(facts, name, zeros, seed) : null);

/**
 * A pure function of weights, seed and name of the parameter.
 *
 * @param rms  root mean square of the weights, zeros treated.
 */
export function startOf(rule: Rule, name: string, rms: number, seed: number): Start {
  const { optimizer, options, variant } = rule;
  const top = topOf(rule, optimizer.clampUnit?.(options, rms) ?? rms);
  const [key0, key1] = streamKey(seed, name, 0, "optimiser's initial weights");
  const random = (index: number): number => uniformFloat(randomBits(index, key0, key1));
  const change = optimizer.initial?.({ options, variant, scale: top, random }) ?? null;
  return { top, change };
}

/** One change after the other. */
export function inTurn(first: Change | null, second: Change | null): Change | null {
  if (!first || !second) return first ?? second;
  return (value, index) => second(first(value, index), index);
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
