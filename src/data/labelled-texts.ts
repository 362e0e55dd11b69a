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

/** Where a file has what, by the names of its header or its keys, or by numbers of its columns from 1. */
export interface TextColumns {
  readonly label: string;
  readonly text: string;
  readonly second?: string;
}

/**
 * Reads a file: lines of `label⇥text` or `label⇥text⇥second text`; a file whose name ends in `.jsonl` has lines of
 * `{"label": …, "text": …, "second": …}`, the label a string or a number. Empty lines are passed over; there is no header.
 *
 * @param columns  where a file is another: the keys of its JSON, or the columns of its tabs, whose first line names them, unless all
 *   are numbers.
 * @throws DataError naming the file, and the line that does not fit.
 */
export async function loadLabelledTexts(path: string, columns?: TextColumns): Promise<LabelledFile> {
  const { bytes } = await loadText(path);
  const text = new TextDecoder("utf-8").decode(bytes);
  const texts = parseLabelledTexts(path, text, /\.jsonl$/i.test(path) ? "jsonl" : "tsv", columns);
  return { name: path, texts, sha256: await sha256([bytes]) };
}

/** @throws DataError as {@link loadLabelledTexts}. */
export function parseLabelledTexts(
  name: string,
  text: string,
  kind: "tsv" | "jsonl",
  columns?: TextColumns,
): LabelledText[] {
  const lines = text.split(/\r?\n/);
  const hasHeader = kind === "tsv" && columns !== undefined && !areNumbers(columns);
  const parse = kind === "jsonl" ? jsonReader(columns) : tabReader(name, columns, hasHeader ? lines[0] : undefined);
  const found = lines.flatMap((line, i): LabelledText[] => {
    if (line.trim() === "" || (i === 0 && hasHeader)) return [];
    const read = parse(line);
    if (typeof read === "string") throw new DataError(name, `line ${i + 1}: ${read}`);
    return [read];
  });
  if (found.length === 0) throw new DataError(name, "holds no labelled text");
  return found;
} // prettier-ignore

/** Reads a line, or says what is wrong with it. */
type LineReader = (line: string) => LabelledText | string;

const areNumbers = (columns: TextColumns): boolean =>
  Object.values(columns).every((column: string) => /^[1-9]\d*$/.test(column));

function tabReader(name: string, columns: TextColumns | undefined, header: string | undefined): LineReader {
  if (columns === undefined) return fromTabs;
  const names = header?.split("\t");
  const placeOf = (column: string): number => {
    const place = names === undefined ? Number(column) - 1 : names.indexOf(column);
    if (place >= 0) return place;
    throw new DataError(name, `line 1: names no column "${column}", but ${names?.join(", ")}`);
  };
  const { label: labels, text: texts, second } = columns;
  const places = [labels, texts, ...(second === undefined ? [] : [second])].map(placeOf);
  const least = 1 + Math.max(...places);
  return (line) => {
    const cells = line.split("\t");
    if (cells.length < least) return `has ${cells.length} columns, wants at least ${least}`;
    return fromTabs(places.map((place) => cells[place]).join("\t"));
  };
} // prettier-ignore

/** @returns what is wrong, where something is. */
function fromTabs(line: string): LabelledText | string {
  const columns = line.split("\t");
  const [label, text, second] = columns;
  if (columns.length < 2 || columns.length > 3)
    return `has ${columns.length} columns, wants 2 or 3 parted by tabs: label, text, second text`;
  if (label === "") return "has no label";
  return { label, text, ...(second === undefined ? {} : { second }) };
}

/** A second text is there or not where no columns are named. */
function jsonReader(columns?: TextColumns): LineReader {
  const keys = columns ?? { label: "label", text: "text", second: "second" };
  return (line) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      return `is not JSON: ${(cause as Error).message}`;
    }
    if (typeof value !== "object" || value === null) return "is no JSON object";
    const of = (key: string): unknown => (value as Record<string, unknown>)[key];
    const [label, text] = [of(keys.label), of(keys.text)];
    const second = keys.second === undefined ? undefined : of(keys.second);
    if (typeof label !== "string" && typeof label !== "number")
      return `"${keys.label}" is ${JSON.stringify(label)}, wants a string or a number`;
    if (typeof text !== "string") return `"${keys.text}" is ${JSON.stringify(text)}, wants a string`;
    if (typeof second === "string") return { label: String(label), text, second };
    if (second === undefined && columns?.second === undefined) return { label: String(label), text };
    return `"${keys.second}" is ${JSON.stringify(second)}, wants a string`;
  };
}

/** The labels of texts, sorted: numbers by size, else by their characters. */
export function classesOf(texts: readonly LabelledText[]): string[] {
  const labels = [...new Set(texts.map(({ label }) => label))];
  const numeric = labels.every((label) => label.trim() !== "" && Number.isFinite(Number(label)));
  return numeric ? labels.toSorted((a, b) => Number(a) - Number(b)) : labels.toSorted();
}
