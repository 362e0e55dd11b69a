/** BERT's word pieces, from its published `vocab.txt`. */
import { toSymbols } from "./symbols.ts";
import { entryOf, type SymbolStream, type Tokenizer, TokenizerError } from "./tokenizer.ts";
import {
  caseOf,
  readVocabulary,
  tokenizerConfigFile,
  vocabularyFile,
  type WordpieceVocabulary,
  writtenConfig,
} from "./wordpiece-vocabulary.ts";
import { wordpieceRuns, wordsOfRun } from "./wordpiece-words.ts";

/** What a piece begins with that goes on with a word. */
const continues = "##";

/** Characters of the longest word that is looked up; a longer one is unknown. @source Hugging Face transformers. */
const longestWord = 100;

/** Most runs whose symbols are remembered; a text repeats few words often. */
const rememberedRuns = 1 << 16;
/** Longer runs are rare and large; they are encoded each time. */
const rememberedLength = 64;

/**
 * BERT's tokeniser: 30,522 symbols with the vocabulary of `bert-base-uncased`, 28,996 with that of `bert-base-cased`. Words and signs
 * are parted by `wordsOfRun`, each word into the longest pieces that fit from its start on; a word that no pieces make up is `[UNK]`.
 *
 * White space is no symbol: text comes back with single spaces between words, and signs apart. The names of special symbols in a text
 * are ordinary characters.
 *
 * @param vocabulary  content of `vocab.txt`.
 * @param config      content of `tokenizer_config.json`; left out, see `caseOf`.
 * @throws TokenizerError naming the line or the setting that is wrong.
 * @source Wu et al. 2016, Google's neural machine translation system; Devlin et al. 2019, BERT.
 */
export function wordpieceTokenizer(vocabulary: string, config?: string): Tokenizer {
  const read = readVocabulary(vocabulary);
  const { pieces, special } = read;
  const treatment = caseOf(read, config);
  const symbolsOfWord = greedy(read);
  const remembered = new Map<string, readonly number[]>();
  const symbolsOf = (run: string): readonly number[] => {
    const known = remembered.get(run);
    if (known) return known;
    const symbols = wordsOfRun(run, treatment).flatMap(symbolsOfWord);
    if (run.length <= rememberedLength) {
      if (remembered.size >= rememberedRuns) remembered.clear();
      remembered.set(run, symbols);
    }
    return symbols;
  };
  return {
    name: "wordpiece",
    vocabulary: pieces.length,
    special,
    files: { [vocabularyFile]: vocabulary, [tokenizerConfigFile]: config ?? writtenConfig(treatment) },
    encode(text) {
      const symbols: number[] = [];
      for (const [run] of text.matchAll(wordpieceRuns)) for (const symbol of symbolsOf(run)) symbols.push(symbol);
      return toSymbols(pieces.length, symbols);
    },
    decode: (symbols) => pieceStream(pieces).push(symbols),
    stream: () => pieceStream(pieces),
    cut: lastSpaceEnd,
  };
} // prettier-ignore

/** The tokeniser that wrote these files, or that was published with them. */
export function openWordpiece(files: Readonly<Record<string, string>>): Tokenizer {
  const { [vocabularyFile]: vocabulary, [tokenizerConfigFile]: config } = files;
  if (vocabulary === undefined) throw new TokenizerError(`"${vocabularyFile}" is missing`);
  return wordpieceTokenizer(vocabulary, config);
}

/** The longest piece that the rest of a word begins with, again and again; unknown where there is none. */
function greedy({ pieces, unknown }: WordpieceVocabulary): (word: string) => readonly number[] {
  const first = new Map<string, number>();
  const further = new Map<string, number>();
  for (const [number, piece] of pieces.entries())
    if (piece.startsWith(continues)) further.set(piece.slice(continues.length), number);
    else first.set(piece, number);
  const longest = pieces.reduce((most, { length }) => Math.max(most, length), 0);
  return (word) => {
    if (word.length > longestWord && [...word].length > longestWord) return [unknown];
    const symbols: number[] = [];
    for (let start = 0; start < word.length;) {
      const table = start === 0 ? first : further;
      let end = Math.min(word.length, start + longest);
      while (end > start && !table.has(word.slice(start, end))) end--;
      const symbol = table.get(word.slice(start, end));
      if (symbol === undefined || end === start) return [unknown];
      symbols.push(symbol);
      start = end;
    }
    return symbols;
  };
} // prettier-ignore

/** Words with one space between; pieces that go on with a word joined to it. */
function pieceStream(pieces: readonly string[]): SymbolStream {
  let atStart = true;
  const text = (symbol: number): string => {
    const piece = entryOf(pieces, symbol);
    const joins = piece.startsWith(continues) && piece.length > continues.length;
    const gap = atStart || joins ? "" : " ";
    atStart = false;
    return gap + (joins ? piece.slice(continues.length) : piece);
  };
  return { push: (symbols) => Array.from(symbols, text).join(""), end: () => "" };
}

/** The end of the last white space: no word reaches over it. */
function lastSpaceEnd(text: string): number {
  for (let at = text.length; at > 0; at--) if (/[\p{Z}\t\n\r]/u.test(text[at - 1])) return at;
  return 0;
}
