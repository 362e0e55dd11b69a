/** The text of a configuration as symbols: any file, a registered set, token files, or the project's own source. */
import { countWindows } from "../src/data/batches.ts";
import { charactersOf, characterTokenizer } from "../src/data/character-tokenizer.ts";
import { type Corpus, splitCorpus } from "../src/data/corpus.ts";
import { DataError } from "../src/data/data-error.ts";
import { dataFolder, folderOf } from "../src/data/data-folder.ts";
import type { TextDataset, TextLevel, TextParts } from "../src/data/dataset.ts";
import { type LanguageData, languageData, openTokenFiles, textParts } from "../src/data/language-data.ts";
import { loadOwnSource } from "../src/data/own-source.ts";
import { datasets } from "../src/data/sets/datasets.generated.ts";
import { partOf, type SymbolText } from "../src/data/symbols.ts";
import { loadText } from "../src/data/text.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { wordsOf, wordTokenizer } from "../src/data/word-tokenizer.ts";
import { joinBytes } from "../src/io/sha256.ts";
import type { LanguageConfig } from "./config/resolve.ts";
import { statedTokenizer } from "./vocabulary.ts";

/** The registered texts, by name. */
export const textSets: Readonly<Record<string, TextDataset>> = Object.fromEntries(
  Object.values(datasets).flatMap((dataset) => (dataset.kind === "text" ? [[dataset.name, dataset]] : [])),
);

/** How texts are cut into symbols. */
export const textLevels: readonly [TextLevel, ...TextLevel[]] = [
  "bytes",
  "characters",
  "words",
  "gpt2",
  "wordpiece",
];

type DataConfig = LanguageConfig["data"];

/** What a configuration says of its text. */
export interface TextConfig {
  readonly data: DataConfig;
  /** Of a window of text. */
  readonly model: { readonly context: number };
}

/**
 * Reads and cuts a configuration's text.
 *
 * @param kept  the tokeniser of a run that goes on; left out, the text's own or the published one.
 * @throws DataError for texts that are missing, too short, or of another vocabulary, and what reading throws.
 */
export async function loadLanguage(config: TextConfig, kept?: Tokenizer): Promise<LanguageData> {
  const { data, model } = config;
  const tokenizer = kept ?? (await statedTokenizer(data));
  const found = await partsOf(data, model.context, tokenizer);
  try {
    expectWindows(found, model.context);
  } catch (error) {
    found.close();
    throw error;
  }
  return found;
}

async function partsOf(
  data: DataConfig,
  context: number,
  tokenizer: Tokenizer | undefined,
): Promise<LanguageData> {
  const cut = (parts: TextParts): Promise<LanguageData> =>
    languageData(parts, { level: data.level, ...(tokenizer ? { tokenizer } : {}) });
  if (data.set !== undefined) {
    const set = textSets[data.set];
    return cut(await set.load(folderOf(set, dataFolder({ dataDir: data.dir }))));
  }
  if (isTokenFile(data)) return tokenFiles(data, tokenizer);
  const corpus = await corpusOf(data);
  if (data.validation !== undefined) {
    const judged = await loadText(data.validation, { encoding: data.encoding });
    return cut({ name: corpus.name, training: corpus.bytes, validation: judged.bytes, test: null });
  }
  // Bytes are parted at any byte, as ever, so that older runs go on with the parts they began with.
  if (data.level !== "bytes") {
    const whole = tokenizer ?? tokenizerOfAll(corpus, data.level);
    const parts = partsBetweenSymbols(textParts(corpus.name, corpus.bytes, data.validationFraction), whole);
    return languageData(parts, { level: data.level, tokenizer: whole });
  }
  return cut({ name: corpus.name, ...splitCorpus(corpus, context, data.validationFraction), test: null });
}

/** The end of a text may have symbols that its beginning lacks: the vocabulary is that of both. */
const tokenizerOfAll = ({ bytes }: Corpus, level: TextLevel): Tokenizer =>
  tokenizerOfText(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), level);

/** The words of a text, or its characters. */
export function tokenizerOfText(text: string, level: TextLevel): Tokenizer {
  return level === "words" ? wordTokenizer(wordsOf(text)) : characterTokenizer(charactersOf(text));
}

/** Moves the end of the training part back to where no symbol is cut, where there is such a place. */
function partsBetweenSymbols(parts: TextParts, tokenizer: Tokenizer): TextParts {
  const { training, validation } = parts;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(training);
  const rest = new TextEncoder().encode(text.slice(tokenizer.cut(text)));
  const at = training.length - rest.length;
  if (at === 0) return parts;
  return { ...parts, training: training.subarray(0, at), validation: joinBytes([rest, validation]) };
}

const corpusOf = ({ path, encoding }: DataConfig): Promise<Corpus> =>
  path === undefined ? loadOwnSource() : loadText(path, { encoding });

/** Paths that end in `.bin` name symbols, unless raw bytes are asked for. */
const isTokenFile = ({ path, encoding }: Pick<DataConfig, "path" | "encoding">): boolean =>
  path !== undefined && encoding === "utf-8" && [path].flat().some((one) => one.endsWith(".bin"));

async function tokenFiles(
  { path = [], validation, validationFraction, level }: DataConfig,
  tokenizer: Tokenizer | undefined,
): Promise<LanguageData> {
  const [training, ...more] = [path].flat();
  if (more.length > 0)
    throw new DataError(training, "one token file trains: give the other with --data.validation");
  if (tokenizer === undefined)
    throw new DataError(training, `symbols of level ${level} want their vocabulary: --data.vocabulary <folder>`);
  const data = await openTokenFiles({ training, validation: validation ?? training }, tokenizer);
  if (validation !== undefined) return data;
  const { length } = data.training;
  const at = length - Math.floor(length * validationFraction);
  return { ...data, training: partOf(data.training, 0, at), validation: partOf(data.validation, at, length) };
} // prettier-ignore

function expectWindows({ name, training, validation }: LanguageData, context: number): void {
  for (const [part, { length }] of Object.entries({ training, validation })) {
    if (countWindows(length, context) > 0) continue;
    throw new DataError(
      name,
      `too short: ${length} symbols for ${part}, a context of ${context} needs ${context + 1}; ` +
        "give more text or a smaller --model.context",
    );
  }
}

/** A text that a model is judged on, whole: any text, or a token file. @throws as {@link loadLanguage}. */
export async function loadOther(
  path: string,
  tokenizer: Tokenizer,
  { encoding, level }: DataConfig,
): Promise<{ readonly name: string; readonly symbols: SymbolText }> {
  if (isTokenFile({ path, encoding })) {
    const { training } = await openTokenFiles({ training: path, validation: path }, tokenizer);
    return { name: path, symbols: training };
  }
  const { name, bytes } = await loadText(path, { encoding });
  const parts = { name, training: bytes, validation: bytes.subarray(0, 0), test: null };
  const { training } = await languageData(parts, { level, tokenizer });
  return { name, symbols: training };
}
