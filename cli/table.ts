/** Tables of text for a terminal. */

/**
 * Columns as wide as their widest entry, two spaces between; numbers to the right.
 *
 * @param header  one title a column; a title that begins with ">" sets its column to the right.
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = header.map((title) => title.replace(/^>/, ""));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? "";
        return header[column].startsWith(">") ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return `${[titles, ...rows].map(line).join("\n")}\n`;
}

/** Bytes in words: `983 B`, `3.21 MB` (10⁶). */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const unit = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
}

/** A figure in about four digits: `2.315`, `1.23e-7`, `NaN`. */
export function formatFigure(value: number): string {
  return String(Number(value.toPrecision(4)));
}

const levels = "▁▂▃▄▅▆▇█";

/** Counts as a line of bars, summed into at most `width` of them; an empty bar is a space. */
export function sparkline(counts: readonly number[], width = 24): string {
  const bars = Array.from({ length: Math.min(width, counts.length) }, () => 0);
  for (const [index, count] of counts.entries()) {
    bars[Math.floor((index * bars.length) / counts.length)] += count;
  }
  const most = Math.max(...bars);
  return bars.map((bar) => (bar === 0 ? " " : levels[Math.floor((bar / most) * 7.999)])).join("");
}
