/** Texts of which each belongs to a class, a line each: tab-separated or JSON. Node only. */
import { sha256 } from "../io/sha256.ts";
import { DataError } from "./data-error.ts";
import { loadText } from "./text.ts";

/** A text, or two that are judged together, and its class. */
export interface LabelledText {
  readonly label: string;
  readonly text: string;
  readonly second?: string;
}

/** The lines of a file. */
export interface LabelledFile {
  readonly name: string;
  readonly texts: readonly LabelledText[];
  /** Of the file's bytes. */
  readonly sha256: string;
}

/**
 * Reads a file: lines of `label⇥text` or `label⇥text⇥second text`; a file whose name ends in `.jsonl` has lines of
 * `{"label": …, "text": …, "second": …}`, the label a string or a number. Empty lines are passed over; there is no header.
 *
 * @throws DataError naming the file, and the line that does not fit.
 */
export async function loadLabelledTexts(path: string): Promise<LabelledFile> {
  const { bytes } = await loadText(path);
  const text = new TextDecoder("utf-8").decode(bytes);
  const texts = parseLabelledTexts(path, text, /\.jsonl$/i.test(path) ? "jsonl" : "tsv");
  return { name: path, texts, sha256: await sha256([bytes]) };
}

/** @throws DataError as {@link loadLabelledTexts}. */
export function parseLabelledTexts(name: string, text: string, kind: "tsv" | "jsonl"): LabelledText[] {
  const parse = kind === "jsonl" ? fromJson : fromTabs;
  const found = text.split(/\r?\n/).flatMap((line, i): LabelledText[] => {
    if (line.trim() === "") return [];
    const read = parse(line);
    if (typeof read === "string") throw new DataError(name, `line ${i + 1}: ${read}`);
    return [read];
  });
  if (found.length === 0) throw new DataError(name, "holds no labelled text");
  return found;
}

/** @returns what is wrong, where something is. */
function fromTabs(line: string): LabelledText | string {
  const columns = line.split("\t");
  const [label, text, second] = columns;
  if (columns.length < 2 || columns.length > 3)
    return `has ${columns.length} columns, wants 2 or 3 parted by tabs: label, text, second text`;
  if (label === "") return "has no label";
  return { label, text, ...(second === undefined ? {} : { second }) };
}

/** @returns what is wrong, where something is. */
function fromJson(line: string): LabelledText | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    return `is not JSON: ${(cause as Error).message}`;
  }
  if (typeof value !== "object" || value === null) return "is no JSON object";
  const { label, text, second } = value as Record<string, unknown>;
  if (typeof label !== "string" && typeof label !== "number")
    return `"label" is ${JSON.stringify(label)}, wants a string or a number`;
  if (typeof text !== "string") return `"text" is ${JSON.stringify(text)}, wants a string`;
  if (second === undefined) return { label: String(label), text };
  return typeof second === "string"
    ? { label: String(label), text, second }
    : `"second" is ${JSON.stringify(second)}, wants a string`;
}

/** The labels of texts, sorted: numbers by size, else by their characters. */
export function classesOf(texts: readonly LabelledText[]): string[] {
  const labels = [...new Set(texts.map(({ label }) => label))];
  const numeric = labels.every((label) => label.trim() !== "" && Number.isFinite(Number(label)));
  return numeric ? labels.toSorted((a, b) => Number(a) - Number(b)) : labels.toSorted();
}
