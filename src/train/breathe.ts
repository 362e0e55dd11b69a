/** Turns of the event loop between pieces of long work. */

/** Lets timers and signals have their turn: promises that are ready at once never do. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });

/** So many rows of a matrix are worked on between two turns of the event loop. */
const rowsAtATime = 32;

/**
 * Long work on the rows of a matrix, some at a time with a turn of the event loop between. The work on some is a function of its own: loops
 * within an asynchronous one took half as long again.
 *
 * @param work    on rows from `from` to below `to`.
 * @param signal  throws its reason at the next rows.
 */
export async function inTurns(
  rows: number,
  signal: AbortSignal | undefined,
  work: (from: number, to: number) => void,
): Promise<void> {
  for (let from = 0; from < rows; from += rowsAtATime) {
    await breathe();
    signal?.throwIfAborted();
    work(from, Math.min(rows, from + rowsAtATime));
  }
}
