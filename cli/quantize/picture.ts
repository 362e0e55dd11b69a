/** The page that shows what quantising did. */
import { basename } from "node:path";
import { htmlTable, legend, renderPage, section } from "../picture/page.ts";
import { errorDrawing } from "./error-drawing.ts";
import { reportHeader, reportRows } from "./listing.ts";
import type { QuantizePlan } from "./plan.ts";
import type { QuantizeReport } from "./report.ts";
import { barTensors, sqnrDrawing } from "./sqnr-drawing.ts";

/** The text of the page. */
export function quantizePicture(path: string, plan: QuantizePlan, report: QuantizeReport): string {
  const names = report.all.map(({ format }) => format);
  const count = report.tensors.length;
  const rest = count > barTensors ? ` The first ${barTensors} of ${count} tensors; the table has all.` : "";
  const elements = report.all[0].elements.toLocaleString("en");
  return renderPage({
    title: basename(path),
    subtitle: `${elements} elements in ${count} ${count === 1 ? "tensor" : "tensors"}, rounding ${plan.rounding}`,
    sections: [
      section(
        "Signal to noise",
        `10 log₁₀(Σ x² / Σ (x - y)²): 6 dB are about one bit.${rest}`,
        sqnrDrawing(report.tensors) + legend(names),
      ),
      section(
        "Relative error",
        "Share of elements by |x - y| / |x|, an octave a step. An error of 1 is a number that became zero.",
        errorDrawing(report.totals) + legend(names),
      ),
      section("In figures", "", htmlTable(reportHeader, reportRows(report))),
    ],
  });
}
