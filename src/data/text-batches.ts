/** Batches of labelled texts as symbols, padded to the longest of each. */
import { DataError } from "./data-error.ts";
import { epochIndices } from "./image-batches.ts";
import type { LabelledText } from "./labelled-texts.ts";
import type { SpecialSymbols } from "./special-symbols.ts";
import type { Symbols } from "./symbols.ts";
import { type Tokenizer, TokenizerError } from "./tokenizer.ts";

/** A sequence for a model: a start symbol, a text and an end symbol, a second text and its end symbol where there is one. */
export interface TextExample {
  readonly ids: Int32Array;
  /** 0 for the first text with its start and end, 1 for the second. */
  readonly types: Int32Array;
  readonly label: number;
}

export interface TextBatch {
  readonly rows: number;
  /** Of the longest sequence. */
  readonly length: number;
  readonly ids: Int32Array; // [rows, length], padded
  readonly types: Int32Array; // [rows, length]
  /** Symbols of each sequence. */
  readonly lengths: Int32Array; // [rows]
  readonly labels: Int32Array; // [rows]
}

/** How texts become examples. */
export interface ExampleOptions {
  /** Of the texts, for messages. */
  readonly name: string;
  readonly tokenizer: Tokenizer;
  readonly symbols: SpecialSymbols;
  /** Longest sequence; at least 4. */
  readonly context: number;
  readonly classes: readonly string[];
}

/**
 * Texts as sequences. One that is too long loses symbols at its end; of two the longer one does.
 *
 * @throws DataError for a label that is no class, or a text that the vocabulary does not cover.
 */
export function examplesOf(texts: readonly LabelledText[], options: ExampleOptions): TextExample[] {
  const { name, tokenizer, classes } = options;
  const labels = new Map(classes.map((label, i) => [label, i]));
  return texts.map(({ label, text, second }, i) => {
    const found = labels.get(label);
    if (found === undefined)
      throw new DataError(name, `label "${label}" is none of the classes ${classes.join(", ")}`);
    try {
      const parts = [tokenizer.encode(text), ...(second === undefined ? [] : [tokenizer.encode(second)])];
      return { ...sequenceOf(parts, options), label: found };
    } catch (cause) {
      if (!(cause instanceof TokenizerError)) throw cause;
      throw new DataError(name, `text ${i + 1}: ${cause.message.replace("logrung: ", "")}`, cause);
    }
  });
}

function sequenceOf(
  parts: readonly Symbols[],
  { context, symbols }: ExampleOptions,
): Pick<TextExample, "ids" | "types"> {
  const kept = parts.map((part) => part.length);
  const room = context - 1 - parts.length;
  while (kept.reduce((a, b) => a + b, 0) > room) kept[kept.indexOf(Math.max(...kept))]--;
  const pieces = parts.map((part, i) => [...part.subarray(0, kept[i]), symbols.end]);
  return {
    ids: Int32Array.of(symbols.start, ...pieces.flat()),
    types: Int32Array.of(0, ...pieces.flatMap((piece, i) => piece.map(() => i))),
  };
}

/** The batch of some examples. */
function textBatch(examples: readonly TextExample[], padding: number): TextBatch {
  const rows = examples.length;
  const length = Math.max(...examples.map(({ ids }) => ids.length));
  const ids = new Int32Array(rows * length).fill(padding);
  const types = new Int32Array(rows * length);
  for (const [row, example] of examples.entries()) {
    ids.set(example.ids, row * length);
    types.set(example.types, row * length);
  }
  const lengths = Int32Array.from(examples, (example) => example.ids.length);
  return { rows, length, ids, types, lengths, labels: Int32Array.from(examples, ({ label }) => label) };
}

/** The training batch of a step: each text once an epoch, in an order of the seed and the epoch. */
export function trainingTexts(
  examples: readonly TextExample[],
  {
    seed,
    step,
    rows,
    symbols,
  }: {
    readonly seed: number;
    readonly step: number;
    readonly rows: number;
    readonly symbols: SpecialSymbols;
  },
): TextBatch {
  const indices = epochIndices(examples.length, seed, step, rows);
  return textBatch(
    Array.from(indices, (index) => examples[index]),
    symbols.padding,
  );
}

/** Texts in order; the last batch may have fewer. */
export function* orderedTexts(
  examples: readonly TextExample[],
  { rows, symbols }: { readonly rows: number; readonly symbols: SpecialSymbols },
): Generator<TextBatch, void, undefined> {
  for (let first = 0; first < examples.length; first += rows)
    yield textBatch(examples.slice(first, first + rows), symbols.padding);
}
