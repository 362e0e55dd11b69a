/** Every positive value of several formats as a tick on one logarithmic axis. */
import { type LogAxis, placeOf } from "../picture/log-axis.ts";
import { lineLook } from "../picture/page.ts";
import { powerGrid, px, svg, svgText } from "../picture/svg.ts";
import type { Ladder } from "./ladder.ts";

const width = 1100;
const nameWidth = 118;
const rightMargin = 24;
const rowHeight = 46;
const tickHeight = 30;

/** How many octaves the others may reach beyond the first; what lies further is cut off. */
const octavesBeyond = 24;

/** One row a ladder, the first at the top. The axis is about the first one. */
export function valuesDrawing(ladders: readonly Ladder[]): string {
  const axis = axisOf(ladders);
  const bottom = 10 + ladders.length * rowHeight;
  const rows = ladders.map((ladder, index) => {
    const top = 14 + index * rowHeight;
    const name = svgText(nameWidth - 14, top + 20, ladder.format.name, { anchor: "end", name: true });
    return `${name}<path ${lineLook(index)} d="${ticks(ladder, axis, top)}"/>`;
  });
  const label = `values of ${ladders.map(({ format }) => format.name).join(", ")}`;
  return svg(width, bottom + 28, label, powerGrid(axis, nameWidth, 6, bottom) + rows.join(""));
}

function axisOf(ladders: readonly Ladder[]): LogAxis {
  const lows = ladders.map(({ format }) => Math.log2(format.info.minPositive));
  const highs = ladders.map(({ format }) => Math.log2(format.info.max));
  const low = Math.max(Math.min(...lows), lows[0] - octavesBeyond);
  const high = Math.min(Math.max(...highs), highs[0] + octavesBeyond);
  const room = Math.max(0.5, (high - low) * 0.015);
  return { low: low - room, high: high + room, length: width - nameWidth - rightMargin };
}

/** Ticks closer than half a pixel are one. */
function ticks({ values }: Ladder, axis: LogAxis, top: number): string {
  const places = Array.from(values, (value) => Math.round(2 * placeOf(axis, Math.log2(value))) / 2);
  const seen = new Set(places.filter((place) => place >= 0 && place <= axis.length));
  return Array.from(seen, (place) => `M${px(nameWidth + place)} ${top}v${tickHeight}`).join("");
}
