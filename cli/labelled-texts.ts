/** The labelled texts of a configuration: read, parted, and as symbols. */
import { heldOut } from "../src/data/held-out.ts";
import {
  classesOf,
  loadLabelledTexts,
  type LabelledFile,
  type LabelledText,
} from "../src/data/labelled-texts.ts";
import { DataError } from "../src/data/data-error.ts";
import { specialSymbolsOf } from "../src/data/special-symbols.ts";
import { examplesOf, type TextExample } from "../src/data/text-batches.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import { sha256 } from "../src/io/sha256.ts";
import type { TextsConfig } from "./config/resolve.ts";
import { tokenizerOfText } from "./language-data.ts";
import { statedTokenizer } from "./vocabulary.ts";

/** What a run keeps of its labelled texts besides the model. */
export interface KeptTexts {
  readonly tokenizer: Tokenizer;
  readonly classes: readonly string[];
}

/** What a classifier of texts trains on. */
export interface LabelledData extends KeptTexts {
  /** Of the texts, for messages. */
  readonly name: string;
  readonly training: readonly TextExample[];
  readonly validation: readonly TextExample[];
  /** Of all files. */
  readonly sha256: string;
}

/**
 * Reads a configuration's texts. Words and characters of a vocabulary are those of all its texts, those that validate too.
 *
 * @param kept  of a run that goes on, or the tokeniser of one that is begun from.
 * @throws DataError for files that are missing or damaged, and for fewer than two classes or texts to train on.
 */
export async function loadLabelled(config: TextsConfig, kept: Partial<KeptTexts> = {}): Promise<LabelledData> {
  const { data, seed } = config;
  if (data.path === undefined) throw new DataError("texts", "which labelled texts? --data path/to/any.tsv");
  const files = await Promise.all([data.path].flat().map((path) => loadTexts(path, data)));
  const apart = data.validation === undefined ? null : await loadTexts(data.validation, data);
  const all = files.flatMap(({ texts }) => texts);
  const parts = apart ? { training: all, validation: apart.texts } : parted(all, data.validationFraction, seed);
  const name = files.map((file) => file.name).join(", ");
  const classes = kept.classes ?? classesOf([...all, ...(apart?.texts ?? [])]);
  if (classes.length < 2) throw new DataError(name, `has the label "${classes[0]}" alone, wants at least two classes`);
  const tokenizer = kept.tokenizer ?? (await statedTokenizer(data)) ?? tokenizerOfAll([...files, ...(apart ? [apart] : [])], data.level);
  const examples = (texts: readonly LabelledText[]) => examplesFor(texts, name, config, { tokenizer, classes });
  const sums = new TextEncoder().encode([...files, ...(apart ? [apart] : [])].map((file) => file.sha256).join("\n"));
  return {
    name,
    tokenizer,
    classes,
    training: examples(parts.training),
    validation: examples(parts.validation),
    sha256: await sha256([sums]),
  };
} // prettier-ignore

/** A file of texts in a configuration's columns. @throws DataError as {@link loadLabelledTexts}. */
export function loadTexts(path: string, { columns }: TextsConfig["data"]): Promise<LabelledFile> {
  if (columns === undefined) return loadLabelledTexts(path);
  const [label, text, second] = columns.split(",");
  return loadLabelledTexts(path, { label, text, ...(second === undefined ? {} : { second }) });
}

function parted(texts: readonly LabelledText[], fraction: number, seed: number) {
  const { training, validation } = heldOut(texts.length, fraction, seed);
  const of = (indices: Int32Array): LabelledText[] => Array.from(indices, (index) => texts[index]);
  return { training: of(training), validation: of(validation) };
}

function tokenizerOfAll(files: readonly LabelledFile[], level: TextsConfig["data"]["level"]): Tokenizer {
  const lines = files.flatMap(({ texts }) => texts.map(({ text, second = "" }) => `${text}\n${second}`));
  return tokenizerOfText(lines.join("\n"), level);
}

/** Texts as a run's model takes them. @throws DataError for a label that is no class of the run's. */
export function examplesFor(
  texts: readonly LabelledText[],
  name: string,
  { model }: TextsConfig,
  { tokenizer, classes }: KeptTexts,
): TextExample[] {
  const symbols = specialSymbolsOf(tokenizer);
  return examplesOf(texts, { name, tokenizer, classes, symbols, context: model.context });
}
