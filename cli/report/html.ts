/** The text of `report.html`: one file, no requests, opened from anywhere. */
import type { JsonObject } from "../../src/train/json.ts";
import { attentionPictures, attentionSection } from "./attention.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { escapeHtml } from "./escape.ts";
import { figures } from "./figures.ts";
import { imagesSection, picturesSection } from "./images.ts";
import { pageScript } from "./page.ts";
import type { ReportData, ReportRun } from "./report-data.ts";
import { spreadsSection } from "./spreads.ts";
import { style } from "./style.ts";

/** uPlot's own files, to be put into the page. */
export interface ReportAssets {
  readonly script: string;
  readonly style: string;
}

/** JSON inside a script element: no `<`, so nothing in it can end the element. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", String.raw`\u003c`);
}

/** Nothing may be loaded from anywhere: the policy holds the page to its word. */
const policy = "default-src 'none'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'";

/** The page. Everything a run has written (sample, names, settings) is escaped. */
export function renderReport({ title, runs }: ReportData, assets: ReportAssets): string {
  const charts = chartsOf(runs);
  const only = runs.length === 1 ? runs[0] : undefined;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${assets.style}${style}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(runs.map(subtitle).join(" · "))}</p></header>
${only ? tiles(only) : comparison(runs)}
<div class="charts">${charts.map(chartSection).join("")}</div>
${runs.map(sampleSection).join("")}
${runs.map(picturesSection).join("")}
${runs.map(imagesSection).join("")}
${runs.map(attentionSection).join("")}
${runs.map(spreadsSection).join("")}
${runs.map(settingsSection).join("")}
<footer>Written by logrung. Charts by uPlot (MIT).</footer>
</main>
<script type="application/json" id="charts">${scriptJson(charts)}</script>
${attentionJson(runs)}<script>${assets.script}</script>
<script>${pageScript()}</script>
</body>
</html>
`;
}

/** What the script draws of attention; nothing where no run has any. */
function attentionJson(runs: readonly ReportRun[]): string {
  const { texts, images } = attentionPictures(runs);
  if (texts.length + images.length === 0) return "";
  return `<script type="application/json" id="attention">${scriptJson({ texts, images })}</script>\n`;
}

function subtitle({ config, sessions, name }: ReportRun): string {
  const started = sessions[0]?.started;
  const recipe = typeof config.recipe === "string" ? config.recipe : name;
  return typeof started === "string" ? `${recipe}, ${started.slice(0, 16).replace("T", " ")} UTC` : recipe;
}

function tiles(run: ReportRun): string {
  const shown = figures.map(({ label, read }) => [label, read(run)]).filter(([, value]) => value !== "–");
  const boxes = shown.map(
    ([label, value]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`,
  );
  return `<div class="tiles">${boxes.join("")}</div>`;
}

function comparison(runs: readonly ReportRun[]): string {
  const header = ["", ...runs.map((run) => run.name)].map((name) => `<th>${escapeHtml(name)}</th>`).join("");
  const rows = figures.map(({ label, read }) => tableRow(label, ...runs.map(read)));
  return `<section class="scroll"><table class="facts"><tr>${header}</tr>${rows.join("")}</table></section>`;
}

function tableRow(label: string, ...cells: readonly string[]): string {
  return `<tr><th>${escapeHtml(label)}</th>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`;
}

function chartSection({ id, title, note }: Chart): string {
  const remark = note === "" ? "" : `<p>${escapeHtml(note)}</p>`;
  return `<section><h2>${escapeHtml(title)}</h2>${remark}<div class="plot" id="${escapeHtml(id)}"></div></section>`;
}

function sampleSection({ name, summary: { sample } }: ReportRun): string {
  if (!sample) return "";
  const text = `<b>${escapeHtml(sample.prompt)}</b>${escapeHtml(sample.text)}`;
  return `<section><h2>Sample</h2><p>${escapeHtml(name)}; the prompt is in colour</p><pre>${text}</pre></section>`;
}

function settingsSection({ name, config, sessions }: ReportRun): string {
  const environment = sessions.at(-1) ?? {};
  return `<section><h2>Settings</h2><p>${escapeHtml(name)}</p>
<details open><summary>configuration</summary>${facts(config)}</details>
<details><summary>environment${sessions.length > 1 ? ` (last of ${sessions.length} sessions)` : ""}</summary>${facts(environment)}</details>
</section>`;
}

function facts(object: JsonObject): string {
  const rows = flatten(object, "").map(([key, value]) => tableRow(key, value));
  return `<div class="scroll"><table class="facts">${rows.join("")}</table></div>`;
}

/** `{ a: { b: 1 } }` as `a.b`, `1`. */
function flatten(object: JsonObject, prefix: string): [string, string][] {
  return Object.entries(object).flatMap(([key, value]): [string, string][] => {
    const inner = typeof value === "object" && value !== null && !Array.isArray(value);
    if (inner) return flatten(value as JsonObject, `${prefix}${key}.`);
    return [[prefix + key, typeof value === "string" ? value : JSON.stringify(value)]];
  });
}
