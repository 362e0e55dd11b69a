/** Learning-rate schedules: pure functions of the step, and of a small state for the one that watches the loss. */
import type { PlateauState } from "./plateau.ts";

export const scheduleNames = ["constant", "linear", "cosine", "step", "plateau", "one-cycle"] as const;

export interface Schedule {
  readonly name: (typeof scheduleNames)[number];
  /** Fraction of all steps over which the factor rises: linearly from 0, for `one-cycle` as a cosine from 1/25. */
  readonly warmup: number;
  /** The factor at the last step, for `linear`, `cosine` and `one-cycle`. */
  readonly final: number;
  /** What `step` and `plateau` multiply the factor by. Default 0.1, the published factor of Madam. */
  readonly decay?: number;
  /** Fraction of all steps between the decays of `step`. Default 1/3, as published for Madam: 100 of 300 epochs. */
  readonly interval?: number;
  /** Validations without an improvement that `plateau` waits for, beyond the first. Default 3. */
  readonly patience?: number;
  /** Least relative improvement of the loss that `plateau` counts as one. Default 0.001. */
  readonly threshold?: number;
}

/** Where one cycle starts, as in Smith and Topin's super-convergence as commonly implemented. */
const CYCLE_START = 1 / 25;

/**
 * The factor of the learning rate at step t = 1 … total.
 *
 *   warm-up:  t / w for t ≤ w = warmup · total
 *   then, with p = (t - w) / (total - w):
 *   constant 1;   linear 1 - (1-final) p;   cosine final + (1-final)(1 + cos πp)/2
 *   step decay^⌊(t-1) / ⌈interval · total⌉⌋;   plateau: the factor of its state
 *   one-cycle: a cosine from 1/25 to 1 over the warm-up, then one from 1 to final
 *
 * @param plateau  the state of the `plateau` schedule; default: nothing seen yet.
 * @throws RangeError when warmup or final is outside [0, 1], decay outside (0, 1], interval outside (0, 1].
 * @source Smith and Topin 2019, Super-convergence (one-cycle); Bernstein et al. 2020 (decay by 10 when the loss
 *   plateaus, or in thirds of the run).
 */
export function learningRateFactor(
  schedule: Schedule,
  t: number,
  total: number,
  plateau?: PlateauState,
): number {
  check(schedule);
  const { name, warmup, final } = schedule;
  const rise = warmup * total;
  if (t <= rise) return name === "one-cycle" ? 1 - (1 - CYCLE_START) * halfCosine(t / rise) : t / rise;
  const p = Math.min(1, (t - rise) / Math.max(1, total - rise));
  switch (name) {
    case "constant":
      return 1;
    case "linear":
      return 1 - (1 - final) * p;
    case "cosine":
    case "one-cycle":
      return final + (1 - final) * halfCosine(p);
    case "step": {
      const { decay = 0.1, interval = 1 / 3 } = schedule;
      return decay ** Math.floor((t - 1) / wholeSteps(interval * total));
    }
    case "plateau":
      return plateau?.factor ?? 1;
  }
}

/** ⌈x⌉, at least 1; what is whole but for the rounding of a product, as 0.07 · 100, is taken as it is meant. */
const wholeSteps = (x: number): number => Math.max(1, Math.ceil(x * (1 - 1e-12)));

/** From 1 at p = 0 down to 0 at p = 1. */
const halfCosine = (p: number): number => (1 + Math.cos(Math.PI * p)) / 2;

function check({ warmup, final, decay = 0.1, interval = 1 / 3 }: Schedule): void {
  if (!(warmup >= 0 && warmup <= 1)) throw new RangeError(`logrung: warmup is ${warmup}, wants 0 to 1`);
  if (!(final >= 0 && final <= 1)) throw new RangeError(`logrung: final is ${final}, wants 0 to 1`);
  if (!(decay > 0 && decay <= 1)) throw new RangeError(`logrung: decay is ${decay}, wants > 0, at most 1`);
  if (!(interval > 0 && interval <= 1))
    throw new RangeError(`logrung: interval is ${interval}, wants > 0, at most 1`);
}
