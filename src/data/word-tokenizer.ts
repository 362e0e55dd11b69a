/** Text as words between spaces, with a symbol for the end of each line: WikiText's word level. */
import { toSymbols } from "./symbols.ts";
import { entryOf, type SymbolStream, type Tokenizer, TokenizerError } from "./tokenizer.ts";

const fileName = "words.txt";

/** The symbol at the end of each line. */
export const endOfLine = "<eos>";
/** What stands for words outside the vocabulary, where a vocabulary has it. */
export const unknownWord = "<unk>";

/** Spaces and tabs part words and nothing else does, so that rare Unicode spaces stay inside them. */
const wordPattern = /[^ \t\r]+/g;

const wordsOfLine = (line: string): readonly string[] => line.match(wordPattern) ?? [];

/** Lines of a text; a line break at its end begins no further line. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The different words of a text in order of their first appearance, {@link endOfLine} among them. */
export function wordsOf(text: string): string[] {
  const words = new Set<string>();
  for (const line of linesOf(text)) {
    for (const word of wordsOfLine(line)) words.add(word);
    words.add(endOfLine);
  }
  return [...words];
}

/**
 * One symbol a word, numbered as listed, and {@link endOfLine} after each line.
 *
 * A word outside the vocabulary becomes {@link unknownWord} when `unknowns` allows it: for prompts that people type. A training or
 * test text with such a word belongs to another vocabulary and is refused.
 *
 * @param unknowns  default false.
 * @throws TokenizerError when the list lacks `<eos>` or has a word twice; `encode` throws it for unknown words.
 */
export function wordTokenizer(words: readonly string[], unknowns = false): Tokenizer {
  const numbers = new Map(words.map((word, symbol) => [word, symbol]));
  if (numbers.size !== words.length) throw new TokenizerError("a vocabulary of words holds one twice");
  const eos = numbers.get(endOfLine);
  if (eos === undefined) throw new TokenizerError(`a vocabulary of words lacks "${endOfLine}"`);
  const fallback = unknowns ? numbers.get(unknownWord) : undefined;
  const numberOf = (word: string, line: number): number => {
    const number = numbers.get(word) ?? fallback;
    if (number !== undefined) return number;
    throw new TokenizerError(`word ${JSON.stringify(word)} in line ${line + 1} is not in the vocabulary of ${words.length} words`);
  };
  return {
    name: "words",
    vocabulary: words.length,
    files: { [fileName]: `${words.join("\n")}\n` },
    encode(text) {
      const symbols: number[] = [];
      for (const [number, line] of linesOf(text).entries()) {
        for (const word of wordsOfLine(line)) symbols.push(numberOf(word, number));
        symbols.push(eos);
      }
      return toSymbols(words.length, symbols);
    },
    decode: (symbols) => wordStream(words).push(symbols),
    stream: () => wordStream(words),
    cut: (text) => text.lastIndexOf("\n") + 1,
  };
} // prettier-ignore

/** Words with one space between, a line break for each {@link endOfLine}. */
function wordStream(words: readonly string[]): SymbolStream {
  let lineStart = true;
  const piece = (symbol: number): string => {
    const word = entryOf(words, symbol);
    const gap = lineStart || word === endOfLine ? "" : " ";
    lineStart = word === endOfLine;
    return lineStart ? "\n" : gap + word;
  };
  return { push: (symbols) => Array.from(symbols, piece).join(""), end: () => "" };
}

/** The tokeniser that wrote these files; unknown words of a prompt become {@link unknownWord}. */
export function openWords(files: Readonly<Record<string, string>>): Tokenizer {
  const text = files[fileName];
  if (text === undefined) throw new TokenizerError(`"${fileName}" is missing`);
  return wordTokenizer(linesOf(text), true);
}
