/** The histogram of relative errors, a line for each format. */
import { placeOf } from "../picture/log-axis.ts";
import { lineLook } from "../picture/page.ts";
import { powerGrid, px, svg, svgText } from "../picture/svg.ts";
import { type ErrorStatistics, histogramLow } from "./statistics.ts";

const width = 1100;
const left = 60;
const rightMargin = 24;
const top = 12;
const height = 260;

/** The axis begins where a share of this size is. */
const leastShare = 0.001;

/** Shares of all elements, exact ones included in the whole but not in the drawing. */
export function errorDrawing(totals: readonly ErrorStatistics[]): string {
  const shares = totals.map((statistics) => {
    const elements = Math.max(1, statistics.figures().elements);
    return Array.from(statistics.histogram, (count) => count / elements);
  });
  const most = Math.max(0.05, ...shares.flat());
  const starts = shares.map((line) => line.findIndex((share) => share > leastShare));
  const first = Math.max(0, Math.min(20, ...starts.filter((start) => start >= 0)) - 1);
  const axis = { low: histogramLow + first, high: 1, length: width - left - rightMargin };
  const y = (share: number): number => top + (1 - share / most) * height;
  const paths = shares.map((line, index) => {
    const stairs = line.slice(first).map((share, bin) => {
      const from = left + placeOf(axis, axis.low + bin);
      const to = left + placeOf(axis, axis.low + bin + 1);
      return `${bin === 0 ? "M" : "L"}${px(from)} ${px(y(share))}H${px(to)}`;
    });
    return `<path ${lineLook(index)} stroke-width="2" d="${stairs.join("")}"/>`;
  });
  const content = shareGrid(most, y) + powerGrid(axis, left, top, top + height) + paths.join("");
  return svg(width, top + height + 28, "histogram of relative errors", content);
}

function shareGrid(most: number, y: (share: number) => number): string {
  const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((distance) => most / distance <= 6) ?? 0.25;
  const marks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => index * step);
  const lines = marks.map((mark) => `M${left} ${px(y(mark))}H${width - rightMargin}`).join("");
  const texts = marks.map((mark) =>
    svgText(left - 8, y(mark) + 4, `${Math.round(100 * mark)} %`, { anchor: "end" }),
  );
  return `<path class="grid" d="${lines}"/>${texts.join("")}`;
}
