/** How far weights are from where training began. */

/** Changes of magnitude in rungs, over a tensor or several. */
export interface Moves {
  /** Rungs an octave that changes are counted in. */
  readonly rungsPerOctave: number;
  /** Weights by how many rungs they grew, from -{@link farthestMove} to it; those that moved further are at the ends. */
  readonly counts: readonly number[];
  /** Weights that were, or are, zero: counted in nothing else but `count`. */
  readonly zero: number;
  /** Weights with another sign, by whatever magnitudes. */
  readonly flipped: number;
  readonly count: number;
}

/** Rungs either way that moves are told apart up to. */
export const farthestMove = 64;

/**
 *   Δ = γ log₂(|w after| / |w before|), rounded to whole rungs
 *
 * @param rungsPerOctave  γ
 * @param times  how many weights each pair stands for. Default 1.
 * @throws RangeError when the lengths differ.
 */
export function movesBetween(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  rungsPerOctave: number,
  times: ArrayLike<number> | null = null,
): Moves {
  if (before.length !== after.length)
    throw new RangeError(`logrung: moves from ${before.length} weights to ${after.length}`);
  const counts = Array.from({ length: 2 * farthestMove + 1 }, () => 0);
  let [zero, flipped, count] = [0, 0, 0];
  for (let i = 0; i < after.length; i++) {
    const [from, to] = [before[i], after[i]];
    const weights = times === null ? 1 : times[i];
    count += weights;
    if (from === 0 || to === 0 || !Number.isFinite(to)) {
      zero += weights;
      continue;
    }
    if (from < 0 !== to < 0) flipped += weights;
    const rungs = Math.round(rungsPerOctave * Math.log2(Math.abs(to / from)));
    counts[farthestMove + Math.max(-farthestMove, Math.min(farthestMove, rungs))] += weights;
  }
  return { rungsPerOctave, counts, zero, flipped, count };
}

/** The sum of moves in one unit. @throws RangeError when there is none or units differ. */
export function addMoves(moves: readonly Moves[]): Moves {
  const [first] = moves;
  if (first === undefined || moves.some(({ rungsPerOctave }) => rungsPerOctave !== first.rungsPerOctave))
    throw new RangeError("logrung: only moves in one unit can be added");
  const sum = (field: "zero" | "flipped" | "count"): number =>
    moves.reduce((total, one) => total + one[field], 0);
  const counts = first.counts.map((_, i) => moves.reduce((total, one) => total + one.counts[i], 0));
  return { ...first, counts, zero: sum("zero"), flipped: sum("flipped"), count: sum("count") };
}

/** The median of |Δ| in rungs; {@link farthestMove} may stand for more. 0 where nothing was counted. */
export function medianMove({ counts }: Moves): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let rungs = 0; rungs <= farthestMove; rungs++) {
    const both = counts[farthestMove + rungs] + (rungs > 0 ? counts[farthestMove - rungs] : 0);
    seen += both;
    if (2 * seen >= total) return rungs;
  }
  return 0;
}
