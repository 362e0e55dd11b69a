/** Attention as a part of the page: places for pictures, which the page's script draws, and their figures as a table. */
import type { AttentionReport, HeadMap, ImageAttention, TextAttention } from "../../src/train/run-summary.ts";
import { htmlTable } from "../picture/page.ts";
import { escapeHtml } from "./escape.ts";
import type { ReportRun } from "./report-data.ts";

/** What the script draws, each in the element of its id. */
export interface AttentionPictures {
  readonly texts: readonly (Pick<TextAttention, "tokens" | "maps"> & { readonly id: string })[];
  readonly images: readonly (ImageAttention & { readonly id: string })[];
}

const textId = (run: number, text: number): string => `attention-${run}-text-${text}`;
const imageId = (run: number, image: number): string => `attention-${run}-image-${image}`;

/** The pictures of all runs. */
export function attentionPictures(runs: readonly ReportRun[]): AttentionPictures {
  const reports = runs.map(({ summary: { attention } }) => attention);
  return {
    texts: reports.flatMap((report, run) =>
      (report?.texts ?? []).map(({ tokens, maps }, i) => ({ id: textId(run, i), tokens, maps })),
    ),
    images: reports.flatMap((report, run) =>
      (report?.images ?? []).map((image, i) => ({ ...image, id: imageId(run, i) })),
    ),
  };
}

/** Nothing for a run whose model has no attention. */
export function attentionSection({ name, summary: { attention } }: ReportRun, run: number): string {
  if (!attention) return "";
  const texts = attention.texts.map((text, i) => textFigure(text, attention, textId(run, i)));
  const images = attention.images.map((image, i) => imageFigure(image, attention, imageId(run, i)));
  const formats = [...new Set(attention.layers.map(({ format }) => format))].join(" and ");
  const rounded = formats === "fp32" ? "in float32" : `as ${formats} rounds them`;
  const pictures = images.length === 0 ? "" : `<div class="looks">${images.join("")}</div>`;
  return `<section><h2>Attention</h2><p>${escapeHtml(name)}: probabilities ${escapeHtml(rounded)}</p>${texts.join("")}${pictures}</section>`;
}

function textFigure({ caption, causal, maps }: TextAttention, report: AttentionReport, id: string): string {
  const sees = causal ? "itself and what comes before it" : "the whole text";
  const note =
    `${sentence(caption)}: how much each token (row) reads of the others (column). A token sees ${sees}. ` +
    "The stronger the colour, the more, by the root of the probability. Choose a head to see it large.";
  const rows = maps.map((heads, layer) => {
    const buttons = heads.map((map, head) => {
      const label = `${headName(report, layer, head)}: ${textWords(map)}`;
      return `<button type="button" aria-pressed="${layer + head === 0}" aria-label="${escapeHtml(label)}" title="${escapeHtml(label)}"><canvas></canvas></button>`;
    });
    return gridRow(layer, buttons);
  });
  const large = '<figure class="map"><canvas role="img"></canvas><figcaption aria-live="polite"></figcaption></figure>';
  const table = headTable(maps, textHeader, textRow);
  return `<p>${escapeHtml(note)}</p><div class="attention" id="${id}"><div class="heads scroll">${headRow(maps)}${rows.join("")}</div>${large}</div>${table}`;
} // prettier-ignore

function imageFigure({ caption, maps }: ImageAttention, report: AttentionReport, id: string): string {
  const note = `${sentence(caption)}: what the class token reads of each patch as orange light, the strongest being the most of a picture.`;
  const original = `<canvas role="img" aria-label="${escapeHtml(`the image: ${caption}`)}"></canvas>`;
  const rows = maps.map((heads, layer) => {
    const words = [
      `layer ${layer + 1}, mean of its heads`,
      ...heads.map((map, head) => `${headName(report, layer, head)}: ${imageWords(map)}`),
    ].map(escapeHtml);
    const pictures = words.map((word) => `<canvas role="img" aria-label="${word}" title="${word}"></canvas>`);
    return gridRow(layer, pictures);
  });
  const table = headTable(maps, imageHeader, imageRow);
  return `<div class="look"><p>${escapeHtml(note)}</p><div class="attention patches" id="${id}" style="--cell:${cellOf(maps[0]?.length ?? 0)}px">${original}<div class="heads scroll">${headRow(maps, ["mean"])}${rows.join("")}</div></div>${table}</div>`;
}

/** Pixels across a picture of so many heads side by side, and their mean. */
const cellOf = (heads: number): number => Math.max(48, Math.min(104, Math.floor(330 / (heads + 1))));

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const headName = ({ layers }: AttentionReport, layer: number, head: number): string =>
  `layer ${layer + 1} (${layers[layer]?.name ?? ""}), head ${head + 1}`;

const gridRow = (layer: number, cells: readonly string[]): string =>
  `<div class="row"><span>layer ${layer + 1}</span>${cells.join("")}</div>`;

function headRow(maps: readonly (readonly HeadMap[])[], before: readonly string[] = []): string {
  const names = [...before, ...(maps[0] ?? []).map((_, head) => `head ${head + 1}`)];
  return `<div class="row names" aria-hidden="true"><span></span>${names.map((name) => `<span>${name}</span>`).join("")}</div>`;
}

const share = (value: number | undefined): string =>
  value === undefined ? "–" : `${(100 * value).toFixed(1)} %`;
const bits = (value: number): string => value.toFixed(2);

const textWords = ({ entropy, self, previous, first }: HeadMap): string =>
  `${bits(entropy)} bits; itself ${share(self)}, the token before ${share(previous)}, the first ${share(first)}`;
const imageWords = ({ entropy, self, top }: HeadMap): string =>
  `${bits(entropy)} bits; itself ${share(self)}, at most ${share(top)} of one patch`;

const textHeader = [">entropy, bits", ">itself", ">token before", ">first token", ">rounded to 0"];
const textRow = (map: HeadMap): string[] => [
  bits(map.entropy),
  ...[map.self, map.previous, map.first, map.flushed].map(share),
];
const imageHeader = [">entropy, bits", ">class token", ">most of one patch", ">rounded to 0"];
const imageRow = (map: HeadMap): string[] => [
  bits(map.entropy),
  ...[map.self, map.top, map.flushed].map(share),
];

function headTable(
  maps: readonly (readonly HeadMap[])[],
  header: readonly string[],
  row: (map: HeadMap) => string[],
): string {
  const rows = maps.flatMap((heads, layer) =>
    heads.map((map, head) => [String(layer + 1), String(head + 1), ...row(map)]),
  );
  const table = htmlTable([">layer", ">head", ...header], rows);
  return `<details><summary>heads in figures</summary><div class="scroll">${table}</div></details>`;
}
