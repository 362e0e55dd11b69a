/** Windows of a text in which some symbols are hidden, for a model that has to tell them. */
import { philox4x32 } from "../random/philox.ts";
import { streamKey, type Key } from "../random/stream.ts";
import { windowStarts } from "./batches.ts";
import type { SpecialSymbols } from "./special-symbols.ts";
import { type SymbolText, windowOf } from "./symbols.ts";

/** Sequences of a start symbol, a window of the text and an end symbol, some of the window's symbols hidden. */
export interface MaskedBatch {
  readonly rows: number;
  readonly context: number;
  readonly inputs: Int32Array; // [rows, context]
  /** Of the hidden symbols, in the inputs seen as one list; equally many in each row. */
  readonly places: Int32Array;
  /** What is hidden there. */
  readonly targets: Int32Array;
}

/** What is the same for every batch. */
export interface MaskedPlan {
  readonly seed: number;
  readonly rows: number;
  /** Length of a sequence, start and end symbol too; at least 3. */
  readonly context: number;
  readonly symbols: SpecialSymbols;
}

/** Share of a window's symbols that are hidden. @source Devlin et al. 2019, BERT, section 3.1. */
export const maskedShare = 0.15;

/** Of the symbols to tell, the share that the mask stands for, and with the next a random symbol. The rest stays. */
const [masked, replaced] = [0.8, 0.1];

/** Symbols that are hidden in a window: 15 % of them, rounded, at least one. */
export const hiddenIn = (window: number): number => Math.max(1, Math.round(maskedShare * window));

/** Symbols of the text in a sequence. */
export const windowIn = (context: number): number => context - 2;

/**
 * The training batch of a step: windows drawn at random, of each another 15 % of the symbols hidden. Of these 80 % are replaced by the
 * mask, 10 % by a random symbol of the text, and 10 % stay.
 *
 * A function of seed, step and row alone, so that a resumed run sees what it would have seen.
 *
 * @throws DataError when the text holds no window.
 * @source Devlin et al. 2019, BERT, section 3.1; the number hidden in a window is fixed, as in the reference code.
 */
export function maskedBatch(text: SymbolText, step: number, plan: MaskedPlan): MaskedBatch {
  const { seed, rows, context } = plan;
  const starts = windowStarts(text.length, { seed, step, rows, context: windowIn(context) });
  const key = streamKey(seed, "hidden symbols", step, "masks");
  return batchAt(text, starts.map((start, row) => ({ start, draw: row })), key, plan);
} // prettier-ignore

/**
 * Windows one after the other without overlap, in batches of `rows`; the last batch may have fewer. The same symbols of a window are
 * hidden at every call.
 *
 * @param limit  most batches; default all.
 */
export function* sequentialMasked(
  text: SymbolText,
  { limit = Number.POSITIVE_INFINITY, ...plan }: MaskedPlan & { readonly limit?: number },
): Generator<MaskedBatch, void, undefined> {
  const { seed, rows, context } = plan;
  const window = windowIn(context);
  const windows = Math.min(Math.floor(text.length / window), limit * rows);
  const key = streamKey(seed, "hidden symbols", 0, "masks of validation");
  for (let first = 0; first < windows; first += rows) {
    const count = Math.min(rows, windows - first);
    const drawn = Array.from({ length: count }, (_, row) => first + row);
    yield batchAt(
      text,
      drawn.map((draw) => ({ start: draw * window, draw })),
      key,
      plan,
    );
  }
}

/** A window, and which of the masks drawn by a key it gets. */
interface Window {
  readonly start: number;
  readonly draw: number;
}

function batchAt(
  text: SymbolText,
  windows: readonly Window[],
  key: Key,
  { context, symbols }: MaskedPlan,
): MaskedBatch {
  const [length, hidden] = [windowIn(context), hiddenIn(windowIn(context))];
  const inputs = new Int32Array(windows.length * context);
  const places = new Int32Array(windows.length * hidden);
  const targets = new Int32Array(windows.length * hidden);
  for (const [row, { start, draw }] of windows.entries()) {
    const sequence = inputs.subarray(row * context, (row + 1) * context);
    sequence[0] = symbols.start;
    sequence.set(windowOf(text, start, start + length), 1);
    sequence[context - 1] = symbols.end;
    for (const [i, { place, stand }] of drawMasks(length, hidden, draw, key, symbols).entries()) {
      places[row * hidden + i] = row * context + 1 + place;
      targets[row * hidden + i] = sequence[1 + place];
      if (stand !== null) sequence[1 + place] = stand;
    }
  }
  return { rows: windows.length, context, inputs, places, targets };
}

/** Different places of a window in the order of their draws, and what stands there; null where the symbol stays. */
function drawMasks(
  length: number,
  hidden: number,
  draw: number,
  key: Key,
  { text, mask }: SpecialSymbols,
): { readonly place: number; readonly stand: number | null }[] {
  const order = Int32Array.from({ length }, (_, i) => i);
  return Array.from({ length: hidden }, (_, i) => {
    const [which, fate, other] = philox4x32([draw, i, 0, 0], key).map((word) => word / 2 ** 32);
    const from = i + Math.floor(which * (length - i));
    [order[i], order[from]] = [order[from], order[i]];
    const random = fate < masked + replaced ? Math.floor(other * text) : null;
    return { place: order[i], stand: fate < masked ? mask : random };
  });
}
