/** How coarse formats are, octave by octave below their largest value. */
import { type LogAxis, placeOf } from "../picture/log-axis.ts";
import { lineLook } from "../picture/page.ts";
import { powerGrid, px, svg, svgText } from "../picture/svg.ts";
import { percentText } from "./facts.ts";
import { isLogarithmic, type Ladder, stepError } from "./ladder.ts";

const width = 1100;
const left = 70;
const rightMargin = 24;
const top = 12;
const height = 260;

/** Most octaves that are drawn. */
const mostOctaves = 48;

/** Largest relative error in each octave below the largest value: entry i belongs to (max/2ⁱ⁺¹, max/2ⁱ]. */
export function octaveErrors({ format, steps }: Ladder): number[] {
  const errors: number[] = [];
  const logarithmic = isLogarithmic(format);
  for (const step of steps) {
    const boundary = Math.log2(format.info.max) - Math.log2((step.low + step.high) / 2);
    const octave = Math.floor(boundary);
    errors[octave] = Math.max(errors[octave] ?? 0, stepError(step, logarithmic));
  }
  // An octave without a boundary lies in a step whose boundary is in a neighbouring one.
  return Array.from(errors, (error, octave) => error ?? errors[octave - 1] ?? 0).slice(0, mostOctaves);
}

/** A line a ladder, over the magnitude relative to its own largest value. */
export function coarsenessDrawing(ladders: readonly Ladder[]): string {
  const curves = ladders.map(octaveErrors);
  const octaves = Math.max(...curves.map((curve) => curve.length));
  const axis = { low: -octaves, high: 0, length: width - left - rightMargin };
  const smallest = Math.min(...curves.flat().filter((error) => error > 0), 0.01);
  const decades = Math.ceil(-Math.log10(smallest));
  const y = (error: number): number =>
    top + (-Math.log10(Math.max(error, 10 ** -decades)) / decades) * height;
  const paths = curves.map((curve, index) => {
    return `<path ${lineLook(index)} stroke-width="2" d="${stairs(curve, axis, y)}"/>`;
  });
  const content = errorGrid(decades, y) + powerGrid(axis, left, top, top + height) + paths.join("");
  return svg(width, top + height + 28, "largest relative error by magnitude", content);
}

function stairs(curve: readonly number[], axis: LogAxis, y: (error: number) => number): string {
  const x = (octave: number): string => px(left + placeOf(axis, -octave));
  const levels = curve.map(
    (error, octave) => `${octave === 0 ? "M" : "L"}${x(octave)} ${px(y(error))}H${x(octave + 1)}`,
  );
  return levels.join("");
}

function errorGrid(decades: number, y: (error: number) => number): string {
  const errors = Array.from({ length: decades + 1 }, (_, index) => 10 ** -index);
  const lines = errors.map((error) => `M${left} ${px(y(error))}H${width - rightMargin}`).join("");
  const texts = errors.map((error) => svgText(left - 8, y(error) + 4, percentText(error), { anchor: "end" }));
  return `<path class="grid" d="${lines}"/>${texts.join("")}`;
}
