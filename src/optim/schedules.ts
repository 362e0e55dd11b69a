/** Learning-rate schedules: pure functions of the step. */

export interface Schedule {
  readonly name: "constant" | "linear" | "cosine";
  /** Fraction of all steps over which the factor rises linearly from 0. */
  readonly warmup: number;
  /** The factor at the last step, for `linear` and `cosine`. */
  readonly final: number;
}

/**
 * The factor of the learning rate at step t = 1 … total.
 *
 *   warm-up:  t / w for t ≤ w = warmup · total
 *   then, with p = (t - w) / (total - w):
 *   constant 1;   linear 1 - (1-final) p;   cosine final + (1-final)(1 + cos πp)/2
 *
 * @throws RangeError when warmup or final is outside [0, 1].
 */
export function learningRateFactor({ name, warmup, final }: Schedule, t: number, total: number): number {
  if (!(warmup >= 0 && warmup <= 1)) throw new RangeError(`logrung: warmup is ${warmup}, wants 0 to 1`);
  if (!(final >= 0 && final <= 1)) throw new RangeError(`logrung: final is ${final}, wants 0 to 1`);
  const rise = warmup * total;
  if (t <= rise) return t / rise;
  const p = Math.min(1, (t - rise) / Math.max(1, total - rise));
  if (name === "constant") return 1;
  if (name === "linear") return 1 - (1 - final) * p;
  return final + ((1 - final) * (1 + Math.cos(Math.PI * p))) / 2;
}
