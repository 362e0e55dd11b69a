/** A ladder on a terminal: letters only, no colours. */
import { type LogAxis, placeOf, powersOf, powerText } from "../picture/log-axis.ts";
import { valueText } from "./facts.ts";
import type { Ladder } from "./ladder.ts";

const heights = "▁▂▃▄▅▆▇█";

/** Formats with no more positive values than this have them listed. */
const mostListed = 32;

/**
 * The values of a ladder along a logarithmic axis:
 *
 * - `values`   a bar where at least one value lies;
 * - `density`  values an octave there, the highest bar being the most;
 * - the axis   with powers of two.
 *
 * @param columns  letters that a line may have.
 */
export function drawLadder(ladder: Ladder, columns: number): string {
  const { values, format } = ladder;
  const margin = "density  ".length;
  const ends = [Math.log2(values[0]), Math.log2(format.info.max)] as const;
  const axis = { low: ends[0], high: Math.max(ends[1], ends[0] + 1), length: columns - margin - 1 };
  return [
    `values   ${valueRow(ladder, axis)}`,
    `density  ${densityRow(ladder, axis)}`,
    `         ${axisRow(axis)}`,
    ...listing(ladder, columns),
    "",
  ].join("\n");
}

function valueRow({ values }: Ladder, axis: LogAxis): string {
  const row = Array.from({ length: axis.length + 1 }, () => " ");
  for (const value of values) row[Math.round(placeOf(axis, Math.log2(value)))] = "|";
  return row.join("").trimEnd();
}

/** Values in the octave around each column; at the ends, in the first and the last octave. */
function densityRow({ values }: Ladder, axis: LogAxis): string {
  const places = values.map((value) => Math.log2(value));
  const densities = Array.from({ length: axis.length + 1 }, (_, column) => {
    const log2 = axis.low + (column / axis.length) * (axis.high - axis.low);
    const from = Math.max(axis.low, Math.min(axis.high - 1, log2 - 0.5));
    return firstFrom(places, from + 1) - firstFrom(places, from);
  });
  const most = Math.max(...densities);
  return densities.map((density) => heights[Math.floor((density / most) * 7.999)]).join("");
}

/** Index of the first of ascending numbers that is at least `bound`. */
function firstFrom(ascending: Float64Array, bound: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function axisRow(axis: LogAxis): string {
  const row = Array.from({ length: axis.length + 1 }, () => " ");
  for (const power of powersOf(axis, 8)) {
    const text = powerText(power);
    const place = Math.min(Math.round(placeOf(axis, power)), row.length - text.length);
    for (const [index, letter] of [...text].entries()) row[place + index] = letter;
  }
  return row.join("").trimEnd();
}

function listing({ values, every }: Ladder, columns: number): string[] {
  if (every > 1) return [];
  const few = values.length <= mostListed;
  const shown = few ? [...values] : [...values.subarray(0, 4), NaN, ...values.subarray(-4)];
  const words = shown.map((value) => (Number.isNaN(value) ? "…" : valueText(value)));
  return ["", ...wrapped(`${few ? "all" : "from"} ${words.join("  ")}`, columns)];
}

function wrapped(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.split("  ")) {
    const longer = `${lines[lines.length - 1]}  ${word}`.trimStart();
    if (longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
