/** Text as bytes: 256 symbols, no vocabulary to carry, any text of any script. */
import type { SymbolStream, Tokenizer } from "./tokenizer.ts";

export type { SymbolStream, Tokenizer } from "./tokenizer.ts";

/** One symbol a UTF-8 byte. */
export const byteTokenizer: Tokenizer<Uint8Array> = {
  name: "bytes",
  vocabulary: 256,
  files: {},
  encode: (text) => new TextEncoder().encode(text),
  decode: (symbols) => decoder().decode(Uint8Array.from(symbols)),
  stream: () => byteStream((symbols) => Uint8Array.from(symbols)),
  cut: (text) => wholeCharacters(text),
};

/** A stream over symbols that stand for runs of bytes. */
export function byteStream(bytesOf: (symbols: ArrayLike<number>) => Uint8Array): SymbolStream {
  const inner = decoder();
  return {
    push: (symbols) => inner.decode(bytesOf(symbols), { stream: true }),
    end: () => inner.decode(),
  };
}

/** The text's length without half a surrogate pair at its end. */
export function wholeCharacters(text: string): number {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length;
}

function decoder(): TextDecoder {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}
