/** A logarithmic axis to base two: where values lie on it and how it is labelled. */

export interface LogAxis {
  /** log₂ of the axis's ends. */
  readonly low: number;
  readonly high: number;
  /** Length in the drawing's units: pixels, or letters on a terminal. */
  readonly length: number;
}

/** How far along the axis log₂ of a value lies, from 0 to `length` where it is on the axis. */
export function placeOf({ low, high, length }: LogAxis, log2: number): number {
  return ((log2 - low) / (high - low)) * length;
}

/** Whole powers of two on the axis, about one for every `room` units, at round distances. */
export function powersOf({ low, high, length }: LogAxis, room: number): number[] {
  const least = ((high - low) / length) * room;
  const distance = [1, 2, 4, 8, 16, 32, 64, 128, 256].find((step) => step >= least) ?? 512;
  const first = Math.ceil(low / distance);
  const count = Math.floor(high / distance) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * distance);
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** `2⁻¹²`; `1` for its power 0. */
export function powerText(exponent: number): string {
  if (exponent === 0) return "1";
  const digits = [...`${Math.abs(exponent)}`].map((digit) => superscripts[Number(digit)]).join("");
  return `2${exponent < 0 ? "⁻" : ""}${digits}`;
}
