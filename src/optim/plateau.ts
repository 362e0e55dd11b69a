/** The one schedule with a memory: the learning rate falls when the validation loss has stopped falling. */
import type { Schedule } from "./schedules.ts";

/** What a checkpoint keeps of it. */
export interface PlateauState {
  /** The least loss so far; null before the first validation. */
  readonly best: number | null;
  /** Validations since then. */
  readonly waited: number;
  /** Factor of the learning rate. */
  readonly factor: number;
}

export const freshPlateau: PlateauState = { best: null, waited: 0, factor: 1 };

/**
 * The state after a validation:
 *
 *   loss < best · (1 - threshold):  best ← loss, waited ← 0
 *   else waited ← waited + 1, and past `patience`: factor ← factor · decay, waited ← 0
 *
 * A pure function, so a resumed run falls where the uninterrupted one does.
 */
export function afterValidation(state: PlateauState, loss: number, schedule: Schedule): PlateauState {
  const { decay = 0.1, patience = 3, threshold = 1e-3 } = schedule;
  const { best, waited, factor } = state;
  if (best === null || loss < best - threshold * Math.abs(best)) return { best: loss, waited: 0, factor };
  if (waited + 1 <= patience) return { best, waited: waited + 1, factor };
  return { best, waited: 0, factor: factor * decay };
}
