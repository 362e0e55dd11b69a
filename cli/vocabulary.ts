/** The vocabularies that a configuration names, or that are published: files read, and tokenisers made of them. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import { DataError } from "../src/data/data-error.ts";
import { dataFolder, folderOf } from "../src/data/data-folder.ts";
import type { TextLevel } from "../src/data/dataset.ts";
import { openTokenizer } from "../src/data/language-data.ts";
import { datasets } from "../src/data/sets/datasets.generated.ts";
import { type Tokenizer, TokenizerError } from "../src/data/tokenizer.ts";
import { firstInvalidUtf8 } from "../src/data/utf8.ts";
import { readBytes } from "../src/io/read-file.ts";
import type { LanguageConfig } from "./config/resolve.ts";

type DataConfig = LanguageConfig["data"];

/** A file of a vocabulary. */
interface VocabularyFile {
  /** Its name, then those that others give the same. */
  readonly names: readonly [string, ...string[]];
  /** Whether a vocabulary may do without. */
  readonly optional?: true;
}

/** Files of each level's vocabulary. */
const vocabularyFiles: Readonly<Record<TextLevel, readonly VocabularyFile[]>> = {
  bytes: [],
  characters: [{ names: ["characters.json"] }],
  words: [{ names: ["words.txt"] }],
  gpt2: [{ names: ["encoder.json", "vocab.json"] }, { names: ["vocab.bpe", "merges.txt"] }],
  wordpiece: [{ names: ["vocab.txt"] }, { names: ["tokenizer_config.json"], optional: true }],
};

/**
 * The tokeniser in a folder, or of the one file that a level wants, whatever its name.
 *
 * @throws DataError naming the file that is missing, or is no vocabulary and why.
 */
export async function tokenizerIn(place: string, level: TextLevel): Promise<Tokenizer> {
  const files: Record<string, string> = {};
  for (const [name, path] of filesIn(place, level)) files[name] = await textOf(path);
  try {
    return openTokenizer(level, files);
  } catch (cause) {
    if (!(cause instanceof TokenizerError)) throw cause;
    throw new DataError(place, cause.message.replace("logrung: ", ""), cause);
  }
}

/** Where the files of a level are, by their own names. @throws DataError naming the one that is missing. */
function filesIn(place: string, level: TextLevel): [string, string][] {
  const wanted = vocabularyFiles[level].filter(({ optional }) => !optional);
  if (wanted.length === 1 && statSync(place, { throwIfNoEntry: false })?.isFile())
    return [[wanted[0].names[0], place]];
  return vocabularyFiles[level].flatMap(({ names, optional }): [string, string][] => {
    const path = names.map((name) => join(place, name)).find((one) => existsSync(one));
    if (path !== undefined) return [[names[0], path]];
    if (optional) return [];
    throw new DataError(place, `holds no "${names.join('" or "')}"`);
  });
}

/** @throws DataError naming the line that is not UTF-8, FileError. */
async function textOf(path: string): Promise<string> {
  const bytes = await readBytes(path);
  const at = firstInvalidUtf8(bytes);
  if (at < 0) return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const line = bytes.subarray(0, at).reduce((lines, byte) => lines + (byte === lineBreak ? 1 : 0), 1);
  const found = bytes[at].toString(16).padStart(2, "0");
  throw new DataError(path, `line ${line}: not UTF-8: byte ${at} is 0x${found}`);
}

const lineBreak = 10;

/**
 * What a configuration says of its vocabulary; undefined where the training text makes it.
 *
 * @throws DataError for a published one that is not there, and as {@link tokenizerIn}.
 */
export async function statedTokenizer({
  level,
  vocabulary,
  dir,
}: Pick<DataConfig, "level" | "vocabulary" | "dir">): Promise<Tokenizer | undefined> {
  if (vocabulary !== undefined) return tokenizerIn(vocabulary, level);
  switch (level) {
    case "bytes":
      return byteTokenizer;
    case "gpt2":
    case "wordpiece":
      return publishedTokenizer(level, dir);
    default:
      return undefined;
  }
}

/** The published vocabularies of levels that have one. */
export const publishedVocabularies = {
  gpt2: datasets["gpt2-bpe"],
  wordpiece: datasets["bert-uncased"],
} as const;

/** A published vocabulary from the folder of data sets. @throws DataError saying how to get it. */
export function publishedTokenizer(
  level: keyof typeof publishedVocabularies,
  dir: string | undefined,
): Promise<Tokenizer> {
  const published = publishedVocabularies[level];
  return published.load(folderOf(published, dataFolder({ dataDir: dir })));
}
