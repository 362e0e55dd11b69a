/** Images as a part of the page: what a generator makes; what a classifier got wrong, and which classes it took for others. */
import type { ImageReport } from "../../src/train/run-summary.ts";
import { encodePng } from "../picture/png.ts";
import { escapeHtml } from "./escape.ts";
import type { ReportRun } from "./report-data.ts";

/** Nothing where the run is not about images, or has not ended. */
export function imagesSection({ name, summary: { images } }: ReportRun): string {
  if (!images) return "";
  const { mistakes } = images;
  const grid =
    mistakes.length === 0
      ? "<p>none</p>"
      : `<div class="images">${mistakes.map((mistake) => figureOf(mistake, images)).join("")}</div>`;
  return `<section><h2>Mistakes</h2><p>${escapeHtml(name)}: the validation images that it is surest about and wrong</p>${grid}</section>
<section><h2>Classes</h2><p>${escapeHtml(name)}: images of each class (row) by the class found (column)</p>${confusionTable(images)}</section>`;
}

/** What a generator makes, as training goes on. Nothing where a run has no pictures. */
export function picturesSection({ name, pictures = [] }: ReportRun): string {
  if (pictures.length === 0) return "";
  const figures = pictures.map(({ step, png }) => {
    const data = Buffer.from(png).toString("base64");
    return `<figure><img alt="samples after step ${step}" src="data:image/png;base64,${data}"><figcaption>step ${step}</figcaption></figure>`;
  });
  return `<section><h2>Samples</h2><p>${escapeHtml(name)}: images made from the same noise, a row for each class</p><div class="pictures">${figures.join("")}</div></section>`;
}

function figureOf(
  { label, found, probability, pixels }: ImageReport["mistakes"][number],
  { classes, channels, height, width }: ImageReport,
): string {
  const bytes = Uint8Array.from(Buffer.from(pixels, "base64"));
  const png = Buffer.from(encodePng({ channels, height, width, pixels: bytes })).toString("base64");
  const caption = `${classes[label]}, taken for ${classes[found]} (${(100 * probability).toFixed(0)} %)`;
  const text = escapeHtml(caption);
  return `<figure><img alt="${text}" width="84" height="84" src="data:image/png;base64,${png}"><figcaption>${text}</figcaption></figure>`;
}

/** Off the diagonal, the darker the more. */
function confusionTable({ classes, confusion }: ImageReport): string {
  const heads = classes.map((name) => `<th>${escapeHtml(name)}</th>`).join("");
  const rows = confusion.map((counts, label) => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts.map((count, found) => cell(count, total, label === found));
    return `<tr><th>${escapeHtml(classes[label])}</th>${cells.join("")}</tr>`;
  });
  return `<div class="scroll"><table class="confusion"><tr><th></th>${heads}</tr>${rows.join("")}</table></div>`;
}

function cell(count: number, total: number, right: boolean): string {
  const share = total === 0 ? 0 : Math.min(1, (right ? 1 : 4) * (count / total));
  const tone = right ? "--tone-0" : "--tone-1";
  const color = `color-mix(in srgb, var(${tone}) ${(70 * share).toFixed(0)}%, transparent)`;
  return `<td style="background:${color}">${count === 0 ? "" : count}</td>`;
}
