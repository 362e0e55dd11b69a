/** Times taken in turns: what else the machine does meets all sides alike. */

/** Something to time; the time ends when its promise, if it gives one, is kept. */
export type Work = () => void | Promise<unknown>;

/** How many samples of how long. */
export interface Sampling {
  readonly samples: number;
  /** A sample repeats its work for about so many milliseconds; 0 runs it once. */
  readonly milliseconds: number;
  /** Runs before the first sample. Default 2. */
  readonly warmUp?: number;
}

/** The middle value; of an even number the mean of the two in the middle. @throws RangeError for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("logrung: the median of no values");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of the ratios a/b of samples taken next to each other. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, i) => value / b[i]));
}

/** Milliseconds a run, over `repeats` runs. Does not wait for work that gives no promise: waiting costs 0.1 µs. */
async function time(work: Work, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) {
    const promise = work();
    if (promise) await promise;
  }
  return (performance.now() - start) / repeats;
}

/**
 * Samples several works in turns, A B C A B C ….
 *
 * @returns milliseconds a run, [work][sample]: sample i of every work was taken in round i.
 */
export async function interleave(
  works: readonly Work[],
  { samples, milliseconds, warmUp = 2 }: Sampling,
): Promise<number[][]> {
  const repeats: number[] = [];
  for (const work of works) {
    await time(work, warmUp);
    repeats.push(Math.max(1, Math.round(milliseconds / (await time(work, 1)))));
  }
  const times: number[][] = works.map(() => []);
  for (let round = 0; round < samples; round++)
    for (const [i, work] of works.entries()) times[i].push(await time(work, repeats[i]));
  return times;
}
