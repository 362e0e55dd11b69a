/** Windows of a text as batches: drawn at random for training, one after the other for validation. */
import { philox4x32 } from "../random/philox.ts";
import { streamKey } from "../random/stream.ts";
import { DataError } from "./data-error.ts";
import { type SymbolText, windowOf } from "./symbols.ts";

/** Windows of consecutive symbols and, one place further on, what follows each. */
export interface Batch {
  readonly rows: number;
  readonly context: number;
  readonly inputs: Int32Array; // [rows, context]
  readonly targets: Int32Array; // [rows, context]
}

export interface DrawOptions {
  readonly seed: number;
  /** Which batch: the number of the step. */
  readonly step: number;
  readonly rows: number;
  readonly context: number;
}

/**
 * First symbol of each window of a training batch.
 *
 *   u = (r₀·2²¹ + (r₁ >> 11)) / 2⁵³,  r = philox(counter = [row, 0, 0, 0], key of (seed, step))
 *   start = ⌊u · (length − context)⌋
 *
 * A function of (seed, step, row) and nothing else: the data position of a run *is* its step, so resuming needs
 * no state, and rows may be drawn in any order on any number of workers.
 */
export function windowStarts(length: number, options: DrawOptions): number[] {
  const { seed, step, rows, context } = options;
  const places = length - context;
  if (places < 1) throw new DataError("training text", `${length} symbols hold no window of ${context + 1}`);
  const key = streamKey(seed, "training text", step, "windows");
  return Array.from({ length: rows }, (_, row) => {
    const [high, low] = philox4x32([row, 0, 0, 0], key);
    const uniform = (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
    return Math.floor(uniform * places);
  });
}

/**
 * The training batch of a step; see {@link windowStarts} for how windows are drawn (with replacement).
 *
 * @throws DataError when the text holds no window and the symbol after it.
 */
export function trainingBatch(text: SymbolText, options: DrawOptions): Batch {
  return batchAt(text, windowStarts(text.length, options), options.context);
}

/** Whole windows, each followed by a symbol, that lie one after the other without overlap. */
export function countWindows(length: number, context: number): number {
  return Math.max(0, Math.floor((length - 1) / context));
}

/**
 * Non-overlapping windows from the start on, in batches of `rows`; the last batch may have fewer rows.
 *
 * @param limit  most batches; default all.
 */
export function* sequentialBatches(
  text: SymbolText,
  options: { readonly rows: number; readonly context: number; readonly limit?: number | undefined },
): Generator<Batch, void, undefined> {
  const { rows, context, limit = Number.POSITIVE_INFINITY } = options;
  const windows = Math.min(countWindows(text.length, context), limit * rows);
  for (let first = 0; first < windows; first += rows) {
    const count = Math.min(rows, windows - first);
    yield batchAt(
      text,
      Array.from({ length: count }, (_, row) => (first + row) * context),
      context,
    );
  }
}

function batchAt(text: SymbolText, starts: readonly number[], context: number): Batch {
  const inputs = new Int32Array(starts.length * context);
  const targets = new Int32Array(starts.length * context);
  for (const [row, start] of starts.entries()) {
    const window = windowOf(text, start, start + context + 1);
    inputs.set(window.subarray(0, context), row * context);
    targets.set(window.subarray(1), row * context);
  }
  return { rows: starts.length, context, inputs, targets };
}
