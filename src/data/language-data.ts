/** From texts to symbols for training, at any level. Node only. */
import { openTokenFile, type TokenFile } from "../io/token-file.ts";
import { sha256 } from "../io/sha256.ts";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { charactersOf, characterTokenizer, openCharacters } from "./character-tokenizer.ts";
import { DataError } from "./data-error.ts";
import type { TextLevel, TextParts } from "./dataset.ts";
import { openGpt2 } from "./gpt2-tokenizer.ts";
import type { SymbolText } from "./symbols.ts";
import { type Tokenizer, TokenizerError } from "./tokenizer.ts";
import { openWordpiece } from "./wordpiece-tokenizer.ts";
import { openWords, wordsOf, wordTokenizer } from "./word-tokenizer.ts";

/** What a language model trains on. */
export interface LanguageData {
  /** Of the text, for messages. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly training: SymbolText;
  readonly validation: SymbolText;
  readonly test: SymbolText | null;
  /** Of all bytes; a checkpoint keeps it, so that a run does not go on with another text. */
  readonly sha256: string;
  /** Closes files that are read from while training; nothing to do where all is in memory. */
  close(): void;
}

export interface LevelOptions {
  readonly level: TextLevel;
  /**
   * For `gpt2`: its tokeniser, from `findDataset("gpt2-bpe").load(folder)`; for `wordpiece` of "bert-uncased", or
   * `wordpieceTokenizer(…)`. For the others a tokeniser whose vocabulary must be
   * used: a resumed run's. Default: characters and words are those of the training text.
   */
  readonly tokenizer?: Tokenizer;
} // prettier-ignore

/**
 * Cuts the parts of a text into symbols.
 *
 * @throws DataError naming the part when its text has what the vocabulary has not (parts swapped, or of two texts), and when
 *   `gpt2` or `wordpiece` come without their tokeniser.
 */
export async function languageData(parts: TextParts, options: LevelOptions): Promise<LanguageData> {
  const { name, training, validation, test } = parts;
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  const tokenizer = options.tokenizer ?? ownTokenizer(name, options.level, () => text.decode(training));
  if (tokenizer.name !== options.level)
    throw new DataError(name, `level ${options.level}, but a tokeniser of ${tokenizer.name}`);
  const encode = (part: string, bytes: Uint8Array): SymbolText => {
    try {
      return tokenizer === byteTokenizer ? bytes : tokenizer.encode(text.decode(bytes));
    } catch (cause) {
      if (!(cause instanceof TokenizerError)) throw cause;
      throw new DataError(name, `${part} text: ${cause.message.replace("logrung: ", "")}`, cause);
    }
  };
  return {
    name,
    tokenizer,
    training: encode("training", training),
    validation: encode("validation", validation),
    test: test === null ? null : encode("test", test),
    sha256: await sha256([training, validation, ...(test === null ? [] : [test])]),
    close: () => undefined,
  };
}

function ownTokenizer(name: string, level: TextLevel, training: () => string): Tokenizer {
  switch (level) {
    case "bytes":
      return byteTokenizer;
    case "characters":
      return characterTokenizer(charactersOf(training()));
    case "words":
      return wordTokenizer(wordsOf(training()));
    case "gpt2":
      throw new DataError(name, 'level gpt2 wants its vocabulary: logrung data get gpt2-bpe');
    case "wordpiece":
      throw new DataError(name, 'level wordpiece wants its vocabulary: logrung data get bert-uncased');
  }
} // prettier-ignore

const openers: Readonly<Record<TextLevel, (files: Readonly<Record<string, string>>) => Tokenizer>> = {
  bytes: () => byteTokenizer,
  characters: openCharacters,
  words: openWords,
  gpt2: openGpt2,
  wordpiece: openWordpiece,
};

/**
 * The tokeniser that a trained model was made with, from the files kept with it (see `Tokenizer.files`).
 *
 * @throws TokenizerError when a file is missing or damaged.
 */
export const openTokenizer = (level: TextLevel, files: Readonly<Record<string, string>>): Tokenizer =>
  openers[level](files);

/**
 * The parts of one text of UTF-8: the last `fraction` of its bytes validates. The cut moves back to the start of a character, so that
 * both parts are text.
 */
export function textParts(name: string, bytes: Uint8Array, fraction = 0.1): TextParts {
  let at = bytes.length - Math.floor(bytes.length * fraction);
  while (at > 0 && at < bytes.length && (bytes[at] & 0xc0) === 0x80) at--;
  return { name, training: bytes.subarray(0, at), validation: bytes.subarray(at), test: null };
}

/** Token files of a text's parts, as nanoGPT's `train.bin` and `val.bin`. */
export interface TokenFiles {
  readonly training: string;
  readonly validation: string;
  readonly test?: string;
}

/** Symbols at either end of a token file that its identity is taken from. */
const endSymbols = 4096;

/**
 * Opens token files: nothing but the windows that batches ask for is read, so they may be larger than memory. `sha256` is that of each
 * file's length and its first and last 4,096 symbols, since reading all would take longer than many a run.
 *
 * @param tokenizer  the one that wrote them.
 * @throws FileError, and TokenFileError when a file is none.
 */
export async function openTokenFiles(files: TokenFiles, tokenizer: Tokenizer): Promise<LanguageData> {
  const opened: TokenFile[] = [];
  const open = (path: string): TokenFile => {
    const file = openTokenFile(path, tokenizer.vocabulary);
    opened.push(file);
    return file;
  };
  try {
    const [training, validation] = [open(files.training), open(files.validation)];
    return {
      name: files.training,
      tokenizer,
      training,
      validation,
      test: files.test === undefined ? null : open(files.test),
      sha256: await sha256(opened.flatMap(identityOf)),
      close: () => opened.forEach((file) => file.close()),
    };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

function identityOf({ length, window }: TokenFile): Uint8Array[] {
  const ends = [window(0, Math.min(endSymbols, length)), window(Math.max(0, length - endSymbols), length)];
  const facts = `${length}: ${ends.map((symbols) => symbols.join(" ")).join(", ")}\n`;
  return [new TextEncoder().encode(facts)];
}
