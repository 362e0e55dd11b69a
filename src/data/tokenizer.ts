/** What every way of cutting text into symbols offers. */
import type { SpecialSymbols } from "./special-symbols.ts";
import type { Symbols } from "./symbols.ts";

/** A tokeniser turns text into symbol numbers and back. */
export interface Tokenizer<S extends Symbols = Symbols> {
  /** The level: `bytes`, `characters`, `words`, `gpt2`, `wordpiece`. */
  readonly name: string;
  /** Number of different symbols. */
  readonly vocabulary: number;
  /** The special symbols that the vocabulary itself has; left out, encoders add theirs. */
  readonly special?: SpecialSymbols;
  /** @throws TokenizerError for text that the vocabulary does not cover, naming it and its place. */
  encode(text: string): S;
  /** Bytes that are no UTF-8 show as U+FFFD. @throws RangeError for a number that is no symbol. */
  decode(symbols: ArrayLike<number>): string;
  /** A decoder that takes symbols as they come and holds back a character until it is whole. */
  stream(): SymbolStream;
  /**
   * Where a long text may be cut: the last place before which the symbols do not depend on what follows. 0 when there is none.
   * Encoding the parts gives the symbols of the whole.
   */
  cut(text: string): number;
  /** What rebuilds it, as text files by name: to be kept with a trained model. Empty where the name says all. */
  readonly files: Readonly<Record<string, string>>;
} // prettier-ignore

export interface SymbolStream {
  /** The text that became certain with these symbols; may be empty. */
  push(symbols: ArrayLike<number>): string;
  /** What is left: a cut character shows as U+FFFD. */
  end(): string;
}

/** A vocabulary that is none, or a text that it does not cover. */
export class TokenizerError extends Error {
  override readonly name = "TokenizerError";

  constructor(reason: string, cause?: unknown) {
    super(`logrung: ${reason}`, { cause });
  }
}

/** The symbol's entry in a table. @throws RangeError when there is none. */
export function entryOf<T>(table: readonly T[], symbol: number): T {
  const entry = table[symbol];
  if (entry === undefined)
    throw new RangeError(`logrung: symbol ${symbol} is not in a vocabulary of ${table.length}`);
  return entry;
}

/** A stream for tokenisers whose symbols are whole pieces of text. */
export function wholePieces(decode: (symbols: ArrayLike<number>) => string): SymbolStream {
  return { push: decode, end: () => "" };
}
