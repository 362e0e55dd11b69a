/** What an unknown name was probably meant to be: for error messages of every registry. */

/** Letters to insert, delete, replace or swap with a neighbour to turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, replaced, swapped ? before[j - 2] + 1 : replaced);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}

/** Names of so few letters are the beginning of too many others. */
const leastBeginning = 3;

/**
 * The known name closest to `name`, or undefined when all differ in more than about half their letters. One that begins
 * with `name` is as close as one that differs in a letter.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let least = Infinity;
  for (const candidate of known) {
    const begins = wanted.length >= leastBeginning && candidate.toLowerCase().startsWith(wanted);
    const edits = editDistance(wanted, candidate.toLowerCase());
    const distance = begins ? Math.min(1, edits) : edits;
    const limit = Math.max(name.length, candidate.length) / 2 + 1;
    if (distance < Math.min(least, limit)) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * The tail of an error about an unknown name.
 *
 * @example suggestion("lmdd", ["adam", "lmd"]) // '(did you mean "lmd"? known: adam, lmd)'
 */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const guess = nearest === undefined ? "" : `did you mean "${nearest}"? `;
  return `(${guess}known: ${known.join(", ")})`;
}
