/** Pieces of drawings, as SVG text. */
import { escapeHtml } from "../report/escape.ts";
import { type LogAxis, placeOf, powersOf, powerText } from "./log-axis.ts";

/** Pixels, two digits after the point. */
export const px = (value: number): string => String(Number(value.toFixed(2)));

/** A whole drawing; it is as wide as its place and keeps its proportions. */
export function svg(width: number, height: number, label: string, content: string): string {
  const size = `viewBox="0 0 ${px(width)} ${px(height)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escapeHtml(label)}">${content}</svg>`;
}

export interface TextLook {
  readonly anchor?: "start" | "middle" | "end";
  readonly name?: boolean;
}

export function svgText(x: number, y: number, text: string, { anchor, name }: TextLook = {}): string {
  const place = anchor === undefined ? "" : ` text-anchor="${anchor}"`;
  const look = name === true ? ' class="name"' : "";
  return `<text x="${px(x)}" y="${px(y)}"${place}${look}>${escapeHtml(text)}</text>`;
}

/** Lines at the powers of two, from `top` to `bottom`, and their names below. The axis begins at x = `left`. */
export function powerGrid(axis: LogAxis, left: number, top: number, bottom: number): string {
  const powers = powersOf(axis, 56).map((power) => ({ power, x: left + placeOf(axis, power) }));
  const lines = powers.map(({ x }) => `M${px(x)} ${px(top)}V${px(bottom)}`).join("");
  const texts = powers.map(({ power, x }) => svgText(x, bottom + 16, powerText(power), { anchor: "middle" }));
  return `<path class="grid" d="${lines}"/>${texts.join("")}`;
}
