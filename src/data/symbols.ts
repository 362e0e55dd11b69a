/** Texts as symbol numbers: in memory, or behind a window on a file. */

/** Symbol numbers, in the narrowest array that holds the vocabulary. */
export type Symbols = Uint8Array | Uint16Array | Int32Array;

/** Symbols that lie elsewhere, in a file larger than memory say, and are read a window at a time. */
export interface SymbolSource {
  /** Symbols in all. */
  readonly length: number;
  /** Symbols `from` to `to`, exclusive; the array may be the same one at every call. */
  window(from: number, to: number): Symbols;
}

/** What batches are drawn from. */
export type SymbolText = Symbols | SymbolSource;

/** Symbols `from` to `to`, exclusive, of a text. */
export const windowOf = (text: SymbolText, from: number, to: number): Symbols =>
  "window" in text ? text.window(from, to) : text.subarray(from, to);

/** A part of a text, as a view. */
export function partOf(text: SymbolText, from: number, to: number): SymbolText {
  if (!("window" in text)) return text.subarray(from, to);
  return { length: to - from, window: (first, end) => text.window(from + first, from + end) };
}

/** An array for so many symbols of a vocabulary: one, two or four bytes each. */
export function symbolArray(vocabulary: number, length: number): Symbols {
  if (vocabulary <= 256) return new Uint8Array(length);
  return vocabulary <= 65_536 ? new Uint16Array(length) : new Int32Array(length);
}

/** The list as {@link symbolArray}. */
export function toSymbols(vocabulary: number, list: ArrayLike<number>): Symbols {
  const symbols = symbolArray(vocabulary, list.length);
  symbols.set(list);
  return symbols;
}
