/** Byte-pair merging of one piece of text. */

/** Symbols of an adjacent pair, as one number; symbols are below 2²⁶. */
export const pairKey = (left: number, right: number): number => left * 2 ** 26 + right;

/** What a pair becomes, and how early: a lower rank merges first. */
export interface Merge {
  readonly rank: number;
  readonly symbol: number;
}

/** A pair that may be merged: where it begins, and the symbols it had when it was found. */
interface Candidate extends Merge {
  readonly at: number;
  readonly left: number;
  readonly right: number;
}

/**
 * Merges adjacent symbols, always the pair of lowest rank, the leftmost of equals, until none is left that has a rank.
 *
 * A list of neighbours and a heap: O(n log n), so a line of a million equal letters takes seconds, not hours.
 *
 * @param symbols  changed in place.
 * @source Sennrich et al. 2016, Neural machine translation of rare words with subword units; Radford et al. 2019 for bytes.
 */
export function mergePairs(symbols: number[], merges: ReadonlyMap<number, Merge>): number[] {
  const { length } = symbols;
  const next = Int32Array.from({ length }, (_, i) => i + 1);
  const previous = Int32Array.from({ length }, (_, i) => i - 1);
  const heap: Candidate[] = [];
  const offer = (at: number): void => {
    const to = at >= 0 ? next[at] : length;
    if (to >= length) return;
    const merge = merges.get(pairKey(symbols[at], symbols[to]));
    if (merge) push(heap, { at, left: symbols[at], right: symbols[to], ...merge });
  };
  for (let at = 0; at + 1 < length; at++) offer(at);
  for (let best = pop(heap); best !== undefined; best = pop(heap)) {
    const { at, left, right, symbol } = best;
    const to = next[at];
    // A merge since then may have changed either half, or moved the place into its left neighbour.
    if (symbols[at] !== left || to >= length || symbols[to] !== right) continue;
    symbols[at] = symbol;
    symbols[to] = gone;
    next[at] = next[to];
    if (next[at] < length) previous[next[at]] = at;
    offer(previous[at]);
    offer(at);
  }
  return symbols.filter((symbol) => symbol !== gone);
}

const gone = -1;

const before = (a: Candidate, b: Candidate): boolean => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);

/** Adds to a binary heap. */
function push(heap: Candidate[], added: Candidate): void {
  let at = heap.length;
  heap.push(added);
  for (let parent = (at - 1) >> 1; at > 0 && before(added, heap[parent]); parent = (at - 1) >> 1) {
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = added;
}

/** Takes the first of a binary heap. */
function pop(heap: Candidate[]): Candidate | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}
