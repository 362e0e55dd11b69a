/** Signal to noise as bars, a group for each tensor. */
import { areaLook } from "../picture/page.ts";
import { px, svg, svgText } from "../picture/svg.ts";
import { sqnrText } from "./listing.ts";
import type { FormatReport, TensorReport } from "./report.ts";

/** Most tensors that are drawn. */
export const barTensors = 60;

const width = 1100;
const nameWidth = 250;
const valueWidth = 64;
const barHeight = 14;
const groupGap = 12;
const longestName = 34;

/** A group of bars for each of the first {@link barTensors} tensors. */
export function sqnrDrawing(tensors: readonly TensorReport[]): string {
  const shown = tensors.slice(0, barTensors);
  const figures = shown.flatMap(({ formats }) => formats.map(({ sqnr }) => sqnr ?? 0));
  const most = Math.max(10, ...figures);
  const step = [5, 10, 20, 50].find((distance) => most / distance <= 12) ?? 100;
  const x = (sqnr: number): number =>
    nameWidth + (Math.max(0, sqnr) / most) * (width - nameWidth - valueWidth);
  const groupHeight = (shown[0]?.formats.length ?? 0) * barHeight + groupGap;
  const bottom = 8 + shown.length * groupHeight;
  const marks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  const grid = marks.map((mark) => `M${px(x(mark))} 4V${bottom}`).join("");
  const labels = marks.map((mark) => svgText(x(mark), bottom + 16, `${mark} dB`, { anchor: "middle" }));
  const groups = shown.map((tensor, index) =>
    group(tensor, 8 + index * groupHeight, (sqnr) => x(sqnr ?? most)),
  );
  const content = `<path class="grid" d="${grid}"/>${labels.join("")}${groups.join("")}`;
  return svg(width, bottom + 28, "signal to noise of each tensor in each format", content);
}

function group({ name, formats }: TensorReport, top: number, x: (sqnr: number | null) => number): string {
  const text = name.length > longestName ? `…${name.slice(1 - longestName)}` : name;
  const middle = top + (formats.length * barHeight) / 2 + 4;
  const bars = formats.map((report, index) => bar(report, index, top + index * barHeight, x));
  return svgText(nameWidth - 12, middle, text, { anchor: "end", name: true }) + bars.join("");
}

/** An exact one is as long as the longest; where there is nothing to tell, the bar is missing. */
function bar(report: FormatReport, index: number, top: number, x: (sqnr: number | null) => number): string {
  const end = report.sqnr === null && !report.exact ? x(0) : x(report.sqnr);
  const size = `x="${nameWidth}" y="${px(top + 1)}" width="${px(end - nameWidth)}" height="${barHeight - 3}"`;
  return `<rect ${size} rx="2" ${areaLook(index)}/>${svgText(end + 6, top + 11, sqnrText(report))}`;
}
