/** Turning a text of any size into a token file, in pieces. Node only. */
import { createReadStream } from "node:fs";
import { realpath } from "node:fs/promises";
import { FileError } from "../io/file-error.ts";
import { joinBytes } from "../io/sha256.ts";
import { writeTokenFile } from "../io/token-file.ts";
import { checkUtf8 } from "./corpus.ts";
import { DataError } from "./data-error.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Bytes read at once; a piece ends where the tokeniser can be cut, so memory stays at a few of these. */
const pieceBytes = 1 << 22;

/**
 * Writes the symbols of a UTF-8 text as a token file. The symbols are those of the whole text at once.
 *
 * @param options.bytes  bytes at once; default 4 MiB.
 * @returns how many symbols were written.
 * @throws DataError when the text is not UTF-8, or the output is the text itself; FileError when a file cannot be read or written; RangeError for a vocabulary that 16
 *   bits do not hold; TokenizerError for text that the vocabulary does not cover.
 */
export async function tokeniseFile(
  input: string,
  output: string,
  tokenizer: Tokenizer,
  { bytes = pieceBytes }: { readonly bytes?: number } = {},
): Promise<number> {
  if (tokenizer.vocabulary > 65_536)
    throw new RangeError(`logrung: a vocabulary of ${tokenizer.vocabulary} does not fit 16 bits`);
  if ((await placeOf(input)) === (await placeOf(output)))
    throw new DataError(output, "is the text itself: name another file for its symbols");
  return writeTokenFile(output, symbolsOf(input, tokenizer, bytes));
}

/** Where a path leads to, links followed; the path itself where nothing is, which reading and writing will tell. */
const placeOf = (path: string): Promise<string> => realpath(path).catch(() => path);

async function* symbolsOf(
  path: string,
  tokenizer: Tokenizer,
  bytes: number,
): AsyncGenerator<ArrayLike<number>, void, undefined> {
  let rest = "";
  for await (const text of characters(path, bytes)) {
    const held = rest + text;
    const at = tokenizer.cut(held);
    if (at > 0) yield tokenizer.encode(held.slice(0, at));
    rest = held.slice(at);
  }
  if (rest !== "") yield tokenizer.encode(rest);
}

/** The text in pieces that end between characters. */
async function* characters(path: string, bytes: number): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let start = 0;
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunksOf(path, bytes)) {
    const held = joinBytes([rest, chunk]);
    const end = wholeCharacters(held);
    checkUtf8(held, { path, from: 0, to: end }, start);
    yield decoder.decode(held.subarray(0, end));
    rest = held.subarray(end);
    start += end;
  }
  checkUtf8(rest, { path, from: 0, to: rest.length }, start);
}

async function* chunksOf(path: string, bytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: bytes })) yield chunk as Uint8Array;
  } catch (cause) {
    throw new FileError("read", path, cause);
  }
}

/** Bytes before a character that the end cuts. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
    if (byte < 0x80) break;
  }
  return bytes.length;
}
