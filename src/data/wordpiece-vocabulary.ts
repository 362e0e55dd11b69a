/** BERT's `vocab.txt`, and what its `tokenizer_config.json` says of text. */
import type { SpecialSymbols } from "./special-symbols.ts";
import { TokenizerError } from "./tokenizer.ts";
import type { WordpieceCase } from "./wordpiece-words.ts";

/** The files' names, as published. */
export const vocabularyFile = "vocab.txt";
export const tokenizerConfigFile = "tokenizer_config.json";

/** The pieces of a vocabulary, numbered by their lines from 0. */
export interface WordpieceVocabulary {
  readonly pieces: readonly string[];
  readonly special: SpecialSymbols;
  /** Stands for a word that the pieces do not make. */
  readonly unknown: number;
}

/** Names of the special symbols, and the settings that could name others. */
const names = {
  padding: ["[PAD]", "pad_token"],
  unknown: ["[UNK]", "unk_token"],
  start: ["[CLS]", "cls_token"],
  end: ["[SEP]", "sep_token"],
  mask: ["[MASK]", "mask_token"],
} as const;

/**
 * Reads a `vocab.txt`: a piece a line, pieces that go on with a word marked by `##`.
 *
 * @throws TokenizerError naming the line that is wrong (empty, there twice, ending in CR LF), or the special symbol that is missing.
 */
export function readVocabulary(text: string): WordpieceVocabulary {
  const pieces = text.split("\n");
  if (pieces.at(-1) === "") pieces.pop();
  const numbers = new Map<string, number>();
  for (const [number, piece] of pieces.entries()) {
    const fault = faultOf(piece, numbers);
    if (fault !== undefined) throw new TokenizerError(`${vocabularyFile} line ${number + 1}: ${fault}`);
    numbers.set(piece, number);
  }
  const numberOf = (symbol: keyof typeof names): number => {
    const [name] = names[symbol];
    const number = numbers.get(name);
    if (number !== undefined) return number;
    throw new TokenizerError(`${vocabularyFile} has no "${name}" among its ${pieces.length} lines`);
  };
  const [start, end, mask, padding] = (["start", "end", "mask", "padding"] as const).map(numberOf);
  const { length } = pieces;
  const special = { text: length, start, end, mask, padding, vocabulary: length };
  return { pieces, special, unknown: numberOf("unknown") };
}

function faultOf(piece: string, before: ReadonlyMap<string, number>): string | undefined {
  if (piece.startsWith("\u{feff}") && before.size === 0) return "begins with a byte order mark, wants none";
  if (piece.endsWith("\r")) return "ends in CR LF, wants LF alone";
  if (piece === "") return "is empty, wants a piece";
  const first = before.get(piece);
  return first === undefined ? undefined : `${JSON.stringify(piece)} is in line ${first + 1} already`;
}

/** What must be so for the symbols to be ours. */
const fixed: Readonly<Record<string, readonly unknown[]>> = {
  tokenizer_class: ["Bert", "DistilBert", "Electra"].flatMap((one) => [`${one}Tokenizer`, `${one}TokenizerFast`]),
  do_basic_tokenize: [true],
  ...Object.fromEntries(Object.values(names).map(([name, key]) => [key, [name]])),
}; // prettier-ignore

/**
 * How text is treated. What the settings do not say is inferred: text becomes small where next to no piece has a capital letter (of published
 * vocabularies that is what tells uncased ones), accents go where it does, and Chinese characters stand apart.
 *
 * @param config  content of `tokenizer_config.json`; left out, nothing is said.
 * @throws TokenizerError for settings that are no JSON, or that ask for what is not done here.
 */
export function caseOf({ pieces }: WordpieceVocabulary, config?: string): WordpieceCase {
  const settings = config === undefined ? {} : parseConfig(config);
  const flag = (key: string, usual: () => boolean): boolean => {
    const value = settings[key] ?? usual();
    if (typeof value === "boolean") return value;
    throw new TokenizerError(`${tokenizerConfigFile}: "${key}" is ${JSON.stringify(value)}, wants true or false`);
  };
  expectFixed(settings);
  const lowerCase = flag("do_lower_case", () => pieces.filter(hasCapital).length <= pieces.length / 1000);
  return {
    lowerCase,
    stripAccents: flag("strip_accents", () => lowerCase),
    chineseApart: flag("tokenize_chinese_chars", () => true),
  };
} // prettier-ignore

/** Special symbols and spare ones are written in brackets, whatever the case of the rest. */
const hasCapital = (piece: string): boolean => !/^\[.+\]$/.test(piece) && piece.toLowerCase() !== piece;

function expectFixed(settings: Readonly<Record<string, unknown>>): void {
  for (const [key, allowed] of Object.entries(fixed)) {
    const value = contentOf(settings[key] ?? allowed[0]);
    if (allowed.includes(value)) continue;
    const wanted = allowed.map((one) => JSON.stringify(one)).join(" or ");
    throw new TokenizerError(`${tokenizerConfigFile}: "${key}" is ${JSON.stringify(value)}, wants ${wanted}`);
  }
  const { never_split: whole } = settings;
  if (Array.isArray(whole) && whole.length > 0)
    throw new TokenizerError(`${tokenizerConfigFile}: "never_split" is ${JSON.stringify(whole)}, wants none`);
}

/** A symbol's name is given alone, or as an object that says more of it. */
const contentOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && "content" in value ? value.content : value;

function parseConfig(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError(`${tokenizerConfigFile} is no JSON: ${(cause as Error).message}`, cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new TokenizerError(`${tokenizerConfigFile} is no JSON object`);
}

/** The settings of a vocabulary that came without, for who reads it next. */
export function writtenConfig({ lowerCase, stripAccents, chineseApart }: WordpieceCase): string {
  const settings = {
    tokenizer_class: "BertTokenizer",
    do_lower_case: lowerCase,
    strip_accents: stripAccents,
    tokenize_chinese_chars: chineseApart,
    ...Object.fromEntries(Object.values(names).map(([name, key]) => [key, name])),
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
