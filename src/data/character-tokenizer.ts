/** Text as characters: one symbol a Unicode code point that the training text has. */
import { wholeCharacters } from "./byte-tokenizer.ts";
import { toSymbols } from "./symbols.ts";
import { entryOf, type Tokenizer, TokenizerError, wholePieces } from "./tokenizer.ts";

const fileName = "characters.json";

/** The different code points of a text, sorted by number. */
export function charactersOf(text: string): string[] {
  return [...new Set(text)].toSorted((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
}

/**
 * One symbol a code point, numbered as listed.
 *
 * @throws TokenizerError when the list is empty, holds anything but single code points, or one twice.
 */
export function characterTokenizer(characters: readonly string[]): Tokenizer {
  const numbers = new Map(characters.map((character, symbol) => [character, symbol]));
  const odd = characters.find((entry) => typeof entry !== "string" || [...entry].length !== 1);
  if (odd !== undefined || characters.length === 0)
    throw new TokenizerError(`a vocabulary of characters holds ${JSON.stringify(odd ?? characters)}`);
  if (numbers.size !== characters.length)
    throw new TokenizerError("a vocabulary of characters holds one twice");
  const decode = (symbols: ArrayLike<number>): string =>
    Array.from(symbols, (symbol) => entryOf(characters, symbol)).join("");
  return {
    name: "characters",
    vocabulary: characters.length,
    files: { [fileName]: `${JSON.stringify(characters)}\n` },
    encode: (text) =>
      toSymbols(
        characters.length,
        Array.from(text, (character, place) => numbers.get(character) ?? unknown(character, place)),
      ),
    decode,
    stream: () => wholePieces(decode),
    cut: wholeCharacters,
  };
}

/** The tokeniser that wrote these files. @throws TokenizerError when they are not its. */
export function openCharacters(files: Readonly<Record<string, string>>): Tokenizer {
  try {
    return characterTokenizer(JSON.parse(files[fileName] ?? "null") as string[]);
  } catch (cause) {
    if (cause instanceof TokenizerError) throw cause;
    throw new TokenizerError(`"${fileName}" is missing or no JSON list of characters`, cause);
  }
}

function unknown(character: string, place: number): never {
  throw new TokenizerError(
    `character ${JSON.stringify(character)} (number ${place} of the text) is not among those that the model was trained on`,
  );
}
