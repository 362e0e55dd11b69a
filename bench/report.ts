/** Rows as text. */
import { isMet, type Row, type Target } from "./suite.ts";

/** Four digits, no exponent: `0.0123`, `182.3`, `4012`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = value === 0 ? 0 : 3 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(Math.max(digits, 0), 4)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
} // prettier-ignore

/** Columns as wide as their widest cell; a title that begins with ">" sets its column to the right. */
export function formatTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [titles.map((title) => title.replace(/^>/, "")), ...rows];
  const widths = titles.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const cell = (text: string, i: number): string =>
    titles[i].startsWith(">") ? text.padStart(widths[i]) : text.padEnd(widths[i]);
  return lines.map((line) => line.map(cell).join("  ").trimEnd()).join("\n");
}

const formatTarget = (target: Target): string =>
  "atLeast" in target ? `≥ ${formatNumber(target.atLeast)}` : `≤ ${formatNumber(target.atMost)}`;

/** Rows with their targets, and whether they reach them. */
export function formatRows(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.name,
    formatNumber(row.value),
    row.best === undefined ? "" : formatNumber(row.best),
    row.unit,
    row.target ? formatTarget(row.target) : "",
    { true: "yes", false: "no", null: "" }[`${isMet(row)}`],
    row.note ?? "",
  ]);
  return formatTable(["what", ">median", ">best", "unit", ">target", "met", "note"], cells);
}

/** What every printed record ends with. */
export const CAUTION =
  "Medians. Absolute times on shared machines compare within one run only; ratios were taken in turns.";

/** How idle the machine was otherwise; empty where the system does not tell. */
export const othersLine = (processors: number | null): string =>
  processors === null
    ? ""
    : `Meanwhile other processes kept ${processors.toFixed(2)} processors busy: near 0, the figures are the machine's.\n`;
