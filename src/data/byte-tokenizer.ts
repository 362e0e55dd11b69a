/** Text as bytes: 256 symbols, no vocabulary to carry, any text of any script. */

/** A tokeniser turns text into symbol numbers and back. */
export interface Tokenizer {
  readonly name: string;
  /** Number of different symbols. */
  readonly vocabulary: number;
  encode(text: string): Uint8Array;
  /** Bytes that are no UTF-8 show as U+FFFD. */
  decode(symbols: ArrayLike<number>): string;
  /** A decoder that takes symbols as they come and holds back a character until it is whole. */
  stream(): SymbolStream;
}

export interface SymbolStream {
  /** The text that became certain with these symbols; may be empty. */
  push(symbols: ArrayLike<number>): string;
  /** What is left: a cut character shows as U+FFFD. */
  end(): string;
}

/** One symbol a UTF-8 byte. */
export const byteTokenizer: Tokenizer = {
  name: "bytes",
  vocabulary: 256,
  encode: (text) => new TextEncoder().encode(text),
  decode: (symbols) => decoder().decode(Uint8Array.from(symbols)),
  stream() {
    const inner = decoder();
    return {
      push: (symbols) => inner.decode(Uint8Array.from(symbols), { stream: true }),
      end: () => inner.decode(),
    };
  },
};

function decoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}
