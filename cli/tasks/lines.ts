/** Lines that tasks on texts say of their models and data. */
import type { TextLevel } from "../../src/data/dataset.ts";
import type { LanguageData } from "../../src/data/language-data.ts";
import { formatCount } from "../../src/train/progress.ts";

/** What a text's length is counted in, by level. */
const units = {
  bytes: "bytes",
  characters: "characters",
  words: "words",
  gpt2: "byte pairs",
  wordpiece: "word pieces",
} as const;

/** A text's name, length and vocabulary. */
export function textLine(
  { name, training, validation, test }: LanguageData,
  level: TextLevel,
  vocabulary: number,
): string {
  const length = training.length + validation.length + (test?.length ?? 0);
  return `text     ${name}, ${formatCount(length)} ${units[level]}, ${formatCount(vocabulary)} different`;
}

/** Sizes of a transformer. */
export const transformerSizes = ({
  model: { layers, width, heads, context },
}: {
  readonly model: Readonly<Record<"layers" | "width" | "heads" | "context", number>>;
}): string => `${layers} layers, width ${width}, ${heads} heads, context ${context}`;
