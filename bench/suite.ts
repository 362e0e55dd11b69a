/** What a suite of the benchmark is, and what it gives: rows of figures with their targets. */

/** What a figure should reach on the machine the targets were set for. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** One figure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  /** The same of the best sample: what the machine does when nobody else is on it. */
  readonly best?: number;
  /** "GFLOP/s", "ms", …; "×" for ratios. */
  readonly unit: string;
  readonly target?: Target;
  readonly note?: string;
}

/** How a suite is to run. */
export interface Context {
  readonly threads: number;
  /** Fewer samples: for a look, not for a record. */
  readonly quick: boolean;
}

/** Rows that are measured together, in turns. */
export interface Suite {
  readonly name: string;
  /** One line for lists. */
  readonly summary: string;
  /** Runs without being named. */
  readonly byDefault: boolean;
  run(context: Context): Promise<readonly Row[]>;
}

/** Whether a row reaches its target; null where it has none. */
export function isMet({ value, target }: Row): boolean | null {
  if (!target) return null;
  return "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
}

/** A target that holds for the two threads it was stated for, and none for other numbers. */
export const onTwoThreads = ({ threads }: Context, target: Target): { readonly target?: Target } =>
  threads === 2 ? { target } : {};
