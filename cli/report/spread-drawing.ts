/** One tensor's numbers along the range of a format. */
import type { Spread } from "../../src/train/spread.ts";
import { type LogAxis, placeOf, powersOf, powerText } from "../picture/log-axis.ts";
import { px, svg, svgText } from "../picture/svg.ts";

/** Pixels across, and empty ones at either end: an axis's outermost names reach over it. */
const [width, margin] = [400, 14];

const axisOf = ({ positive, binsPerOctave }: Spread): LogAxis => ({
  low: -positive.length / binsPerOctave,
  high: 0,
  length: width - 2 * margin,
});

/** The names of an axis's powers of two, to stand above the drawings; its end is the top of the range. */
export function axisDrawing(spread: Spread): string {
  const axis = axisOf(spread);
  const names = powersOf(axis, 36).map((power) =>
    svgText(margin + placeOf(axis, power), 12, powerText(power), { anchor: "middle" }),
  );
  return svg(width, 16, "magnitude over the largest of the format", names.join(""));
}

/**
 * Bins as an area, positive numbers above the middle line, negative ones below; where training began as a line. Of numbers
 * held against another format's range that range is shaded.
 *
 * @param label  what it shows, for those who cannot see it.
 */
export function spreadDrawing(
  spread: Spread & { readonly initial?: Pick<Spread, "positive" | "negative"> | undefined },
  label: string,
  height: number,
): string {
  const { positive, negative, initial, octaves, format, range } = spread;
  const axis = axisOf(spread);
  const signed = negative.some((count) => count > 0);
  const middle = signed ? height / 2 : height - 1;
  const room = signed ? height / 2 - 1 : height - 3;
  const sides = [positive, negative, initial?.positive ?? [], initial?.negative ?? []];
  const most = Math.max(1, ...sides.flat());
  const stairs = (counts: readonly number[], direction: 1 | -1): string =>
    stairsOf(counts, axis.length, (count) => middle - (direction * room * count) / most);
  const area = (counts: readonly number[], direction: 1 | -1, tone: number): string =>
    `<path fill="var(--tone-${tone})" d="M${margin} ${px(middle)}${stairs(counts, direction)}V${px(middle)}Z"/>`;
  const line = (counts: readonly number[], direction: 1 | -1): string =>
    `<path class="began" d="M${margin} ${px(middle)}${stairs(counts, direction)}V${px(middle)}"/>`;
  const from = margin + placeOf(axis, -octaves);
  const reach =
    format === range
      ? ""
      : `<rect class="reach" x="${px(from)}" y="0" width="${px(width - margin - from)}" height="${px(height)}"/>`;
  const grid = `<path class="grid" d="M${margin} ${px(middle)}H${width - margin}"/>`;
  const drawn = [
    reach,
    grid,
    area(positive, 1, 0),
    ...(signed ? [area(negative, -1, 3)] : []),
    ...(initial ? [line(initial.positive, 1), ...(signed ? [line(initial.negative, -1)] : [])] : []),
  ];
  return svg(width, height, label, drawn.join(""));
}

/** Up to each bin's height and along it; bins of one height are one step. */
function stairsOf(counts: readonly number[], length: number, y: (count: number) => number): string {
  const steps = counts.map((count, bin) => ({
    height: y(count).toFixed(1),
    end: margin + ((bin + 1) / counts.length) * length,
  }));
  return steps
    .filter(({ height }, bin) => bin === steps.length - 1 || steps[bin + 1].height !== height)
    .map(({ height, end }) => `V${Number(height)}H${Number(end.toFixed(1))}`)
    .join("");
}
