/** GPT-2's byte-level byte-pair encoding, from its published `encoder.json` and `vocab.bpe`. */
import { byteStream } from "./byte-tokenizer.ts";
import { type Merge, mergePairs, pairKey } from "./byte-pair-merge.ts";
import { toSymbols } from "./symbols.ts";
import { entryOf, type Tokenizer, TokenizerError } from "./tokenizer.ts";

/** The symbol between documents; ordinary text never gives it. */
export const endOfText = "<|endoftext|>";

/**
 * How text is parted before pairs merge: English contractions, and letters, digits or other signs with at most one space before,
 * and white space. White space is Unicode's property, which JavaScript's `\s` is not.
 *
 * @source openai/gpt-2, src/encoder.py, the pattern.
 */
const pieces =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Most pieces whose symbols are remembered; a text repeats few words often. */
const rememberedPieces = 1 << 16;
/** Longer pieces are rare and large; they are encoded each time. */
const rememberedLength = 64;

interface Vocabulary {
  /** Bytes of each symbol; of {@link endOfText} its name. */
  readonly bytes: readonly Uint8Array[];
  /** Symbol of each single byte. */
  readonly ofByte: readonly number[];
  readonly merges: ReadonlyMap<number, Merge>;
}

/**
 * GPT-2's tokeniser: 50,257 symbols with the published files (Hugging Face calls the same bytes `vocab.json` and `merges.txt`).
 * `encode` takes {@link endOfText} in a text as ordinary characters.
 *
 * @param encoder  content of `encoder.json`: symbol's text → number, each byte written as one printable character.
 * @param merges   content of `vocab.bpe`: a comment, then a pair a line in the order in which pairs merge.
 * @throws TokenizerError naming the entry or the line that is wrong.
 */
export function gpt2Tokenizer(encoder: string, merges: string): Tokenizer {
  const vocabulary = readVocabulary(encoder, merges);
  const { bytes } = vocabulary;
  const remembered = new Map<string, readonly number[]>();
  const symbolsOf = (piece: string): readonly number[] => {
    const known = remembered.get(piece);
    if (known) return known;
    const start = Array.from(new TextEncoder().encode(piece), (byte) => vocabulary.ofByte[byte]);
    const symbols = mergePairs(start, vocabulary.merges);
    if (piece.length <= rememberedLength) {
      if (remembered.size >= rememberedPieces) remembered.clear();
      remembered.set(piece, symbols);
    }
    return symbols;
  };
  const bytesOf = (symbols: ArrayLike<number>): Uint8Array =>
    Uint8Array.from(Array.from(symbols, (symbol) => [...entryOf(bytes, symbol)]).flat());
  return {
    name: "gpt2",
    vocabulary: bytes.length,
    files: { "encoder.json": encoder, "vocab.bpe": merges },
    encode(text) {
      const symbols: number[] = [];
      for (const [piece] of text.matchAll(pieces)) for (const symbol of symbolsOf(piece)) symbols.push(symbol);
      return toSymbols(bytes.length, symbols);
    },
    decode: (symbols) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(symbols)),
    stream: () => byteStream(bytesOf),
    cut: lastWordEnd,
  };
} // prettier-ignore

/** The tokeniser that wrote these files. */
export function openGpt2(files: Readonly<Record<string, string>>): Tokenizer {
  const { "encoder.json": encoder, "vocab.bpe": merges } = files;
  if (encoder === undefined || merges === undefined)
    throw new TokenizerError('"encoder.json" or "vocab.bpe" is missing');
  return gpt2Tokenizer(encoder, merges);
}

/** The end of the last word that white space follows: no piece reaches over it, and none before looks further. */
function lastWordEnd(text: string): number {
  for (let at = text.length - 1; at > 0; at--)
    if (isSpace(text[at]) && !isSpace(text[at - 1])) return at;
  return 0;
} // prettier-ignore

const isSpace = (unit: string): boolean => /^\p{White_Space}$/u.test(unit);

function readVocabulary(encoder: string, merges: string): Vocabulary {
  const numbers = readEncoder(encoder);
  const byteOf = bytesByCharacter();
  const bytes: Uint8Array[] = [];
  for (const [text, number] of numbers) bytes[number] = bytesOfEntry(text, byteOf);
  const ofByte: number[] = [];
  for (const [character, byte] of byteOf) {
    const number = numbers.get(character);
    if (number === undefined) throw new TokenizerError(`encoder.json has no symbol for byte ${byte}`);
    ofByte[byte] = number;
  }
  return { bytes, ofByte, merges: readMerges(merges, numbers) };
}

function readEncoder(json: string): Map<string, number> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw new TokenizerError(`encoder.json is no JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new TokenizerError("encoder.json holds no object of symbols");
  const numbers = new Map(Object.entries(parsed) as [string, number][]);
  const seen = new Set(numbers.values());
  for (const [text, number] of numbers) {
    if (!Number.isInteger(number) || number < 0 || number >= numbers.size || seen.size !== numbers.size)
      throw new TokenizerError(`encoder.json: ${JSON.stringify(text)} has number ${number}; wants 0 to ${numbers.size - 1}, each once`);
  }
  return numbers;
} // prettier-ignore

function readMerges(text: string, numbers: ReadonlyMap<string, number>): Map<number, Merge> {
  const merges = new Map<number, Merge>();
  const lines = text.split("\n");
  const first = lines[0].startsWith("#version") ? 1 : 0;
  for (const [index, line] of lines.entries()) {
    if (index < first || (line === "" && index === lines.length - 1)) continue;
    const [left, right, ...more] = line.split(" ");
    const found = [left, right, `${left}${right}`].map((part) => numbers.get(part ?? ""));
    const [from, to, symbol] = found;
    if (from === undefined || to === undefined || symbol === undefined || more.length > 0)
      throw new TokenizerError(`vocab.bpe line ${index + 1}: ${JSON.stringify(line)} is no pair of symbols of encoder.json`);
    merges.set(pairKey(from, to), { rank: index, symbol });
  }
  return merges;
} // prettier-ignore

/** A symbol's bytes; a symbol that is not written in byte characters is a special one, by its name. */
function bytesOfEntry(text: string, byteOf: ReadonlyMap<string, number>): Uint8Array {
  const bytes = Array.from(text, (character) => byteOf.get(character));
  return bytes.includes(undefined) ? new TextEncoder().encode(text) : Uint8Array.from(bytes as number[]);
}

/**
 * The character that writes each byte: itself where it is printable Latin-1, else the next one from U+0100 on.
 *
 * @source openai/gpt-2, src/encoder.py, bytes_to_unicode.
 */
function bytesByCharacter(): Map<string, number> {
  const table = new Map<string, number>();
  let spare = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    table.set(String.fromCharCode(printable ? byte : spare++), byte);
  }
  return table;
}
