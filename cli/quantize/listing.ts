/** Figures as rows of a table: the same on the terminal and in the picture. */
import { formatFigure } from "../table.ts";
import type { FormatReport, QuantizeReport } from "./report.ts";

/** For `formatTable`: ">" sets a column to the right. */
export const reportHeader: readonly string[] = [
  "tensor",
  "shape",
  "format",
  ">bits",
  "scale",
  ">SQNR dB",
  ">max error",
  ">in range",
  ">saturated",
  ">to zero",
  "",
];

/** A row for each tensor and format; at the end all tensors together, where there are several. */
export function reportRows({ tensors, all }: QuantizeReport): string[][] {
  const rows = tensors.flatMap(({ name, shape, formats }) =>
    formats.map((report, index) => row(index === 0 ? [name, `[${shape.join(", ")}]`] : ["", ""], report)),
  );
  if (tensors.length < 2) return rows;
  return [
    ...rows,
    ...all.map((report, index) => row(index === 0 ? ["all", `${tensors.length} tensors`] : ["", ""], report)),
  ];
}

function row(place: readonly string[], report: FormatReport): string[] {
  const { format, bits, scale, maxRelativeError, maxRelativeErrorInRange } = report;
  return [
    ...place,
    format,
    formatFigure(bits),
    String(scale),
    sqnrText(report),
    share(maxRelativeError),
    share(maxRelativeErrorInRange),
    share(report.saturated),
    share(report.flushed),
    remark(report),
  ];
}

/** In dB, or `exact`. */
export function sqnrText({ sqnr, exact }: Pick<FormatReport, "sqnr" | "exact">): string {
  return sqnr === null ? (exact ? "exact" : "–") : sqnr.toFixed(2);
}

/** In percent, three digits. */
function share(value: number | null): string {
  return value === null ? "–" : `${Number((100 * value).toPrecision(3))} %`;
}

function remark({ nan, infinite, lost }: FormatReport): string {
  const parts = [nan > 0 && `${nan} NaN`, infinite > 0 && `${infinite} infinite`, lost > 0 && `${lost} lost`];
  return parts.filter((part) => part !== false).join(", ");
}
