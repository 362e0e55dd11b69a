/** Pages of one file: drawings as SVG, tables, no script, nothing from anywhere else. */
import { escapeHtml } from "../report/escape.ts";
import { style } from "../report/style.ts";

/** The browser is told to load and run nothing. */
const policy = "default-src 'none'; style-src 'unsafe-inline'";

/** For drawings; the rest of the looks is the report's. */
const drawingStyle = `
svg { display: block; width: 100%; height: auto; margin-top: 10px; }
.scroll svg { min-width: 720px; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); font-variant-numeric: tabular-nums; }
svg text.name { fill: var(--ink); font-size: 13px; }
svg .grid { stroke: var(--line); stroke-width: 1; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 8px; font-size: 13px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
`;

/** How many colours there are: `--tone-0` … */
const toneCount = 6;

const tone = (index: number): string => `var(--tone-${index % toneCount})`;

export interface Page {
  readonly title: string;
  readonly subtitle: string;
  /** HTML, what it shows already escaped. */
  readonly sections: readonly string[];
}

/** The text of a page. */
export function renderPage({ title, subtitle, sections }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${style}${drawingStyle}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></header>
${sections.join("\n")}
<footer>Written by logrung.</footer>
</main>
</body>
</html>
`;
}

/** A card: a heading, a sentence and what is to be seen. */
export function section(title: string, note: string, content: string): string {
  const remark = note === "" ? "" : `<p>${escapeHtml(note)}</p>`;
  return `<section><h2>${escapeHtml(title)}</h2>${remark}<div class="scroll">${content}</div></section>`;
}

/** Figures in boxes, each under its name. */
export function tiles(entries: readonly (readonly [label: string, value: string])[]): string {
  const boxes = entries.map(
    ([label, value]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`,
  );
  return `<div class="tiles">${boxes.join("")}</div>`;
}

/** Colours repeat after {@link toneCount}: the second time paler in areas, dashed in lines. */
export const areaLook = (index: number): string =>
  `fill="${tone(index)}"${index < toneCount ? "" : ' fill-opacity="0.55"'}`;

export const lineLook = (index: number): string =>
  `stroke="${tone(index)}" fill="none"${index < toneCount ? "" : ' stroke-dasharray="5 4"'}`;

/** A table; a title that begins with ">" sets its column to the right, as on the terminal. */
export function htmlTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const attribute = header.map((title) => (title.startsWith(">") ? ' class="number"' : ""));
  const cells = (tag: string, row: readonly string[]): string =>
    row.map((cell, column) => `<${tag}${attribute[column]}>${escapeHtml(cell)}</${tag}>`).join("");
  const titles = header.map((title) => title.replace(/^>/, ""));
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("");
  return `<table class="facts"><tr>${cells("th", titles)}</tr>${body}</table>`;
}

/** Names beside their colours. */
export function legend(names: readonly string[]): string {
  const entries = names.map((name, index) => {
    const paler = index < toneCount ? "" : ";opacity:0.55";
    return `<span><i style="background:${tone(index)}${paler}"></i>${escapeHtml(name)}</span>`;
  });
  return `<div class="legend">${entries.join("")}</div>`;
}
