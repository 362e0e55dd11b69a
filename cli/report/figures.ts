/** The figures of runs as rows of text: the same in the page and on the terminal. */
import { formatCount, formatDuration } from "../../src/train/progress.ts";
import type { RunSummary } from "../../src/train/run-summary.ts";
import { formatBytes } from "../table.ts";
import type { ReportRun } from "./report-data.ts";

/** One figure: what it is called and how it reads; `–` where a run has not come to it. */
export interface Figure {
  readonly label: string;
  read(run: ReportRun): string;
}

const missing = "–";

function figure(
  label: string,
  read: (summary: Partial<RunSummary>, run: ReportRun) => string | undefined,
): Figure {
  return { label, read: (run) => read(run.summary, run) ?? missing };
}

/** A number with a format, where there is one (JSON has null for what was not finite). */
function shown(value: number | null | undefined, format: (value: number) => string): string | undefined {
  return typeof value === "number" ? format(value) : undefined;
}

const decimals =
  (digits: number) =>
  (value: number): string =>
    value.toFixed(digits);

/** All figures, the most telling first. */
export const figures: readonly Figure[] = [
  figure("validation loss", ({ validation }, run) =>
    shown(validation?.loss ?? last(run, "validationLoss"), decimals(4)),
  ),
  figure("accuracy", ({ validation }, run) =>
    shown(
      validation?.accuracy ?? last(run, "validationAccuracy"),
      (share) => `${(100 * share).toFixed(2)} %`,
    ),
  ),
  figure("perplexity", ({ validation }) => shown(validation?.perplexity, decimals(3))),
  figure("training loss", ({ trainLoss }, run) => shown(trainLoss ?? last(run, "loss"), decimals(4))),
  figure("tokens a second", ({ tokensPerSecond }) => shown(tokensPerSecond, formatCount)),
  figure("samples a second", ({ samplesPerSecond }) => shown(samplesPerSecond, formatCount)),
  figure("state bytes a parameter", ({ stateBytesPerParameter }) =>
    shown(stateBytesPerParameter, decimals(2)),
  ),
  figure("parameters", ({ parameters }) => shown(parameters, formatCount)),
  figure("steps", ({ steps }, run) => String(steps ?? run.steps.at(-1)?.step ?? 0)),
  figure("time", ({ seconds }, run) => shown(seconds ?? last(run, "seconds"), formatDuration)),
  figure("peak memory", ({ peakBytes }) => shown(peakBytes, formatBytes)),
  figure("optimiser", ({ optimizer }) => optimizer),
  figure("precision", ({ precision }) => precision),
];

function last(
  run: ReportRun,
  key: "loss" | "validationLoss" | "validationAccuracy" | "seconds",
): number | undefined {
  return run.steps.findLast((step) => step[key] !== undefined)?.[key];
}
