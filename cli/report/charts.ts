/** From metrics to charts: plain data, which the page draws. */
import type { StepMetrics } from "../../src/train/metrics.ts";
import type { LadderGroup } from "../../src/train/run-summary.ts";
import type { SpreadReport } from "../../src/train/spread-report.ts";
import { rateIn } from "../../src/train/task.ts";
import type { ReportRun } from "./report-data.ts";

/** `faint`: a thin line behind; `points`: measured now and then; `bars`: a histogram. */
export type SeriesStyle = "line" | "faint" | "points" | "bars";

export interface ChartSeries {
  readonly label: string;
  /** Which of the page's colours. */
  readonly tone: number;
  readonly style: SeriesStyle;
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Negative numbers are counts downwards and shown without their sign. */
  readonly mirrored: boolean;
  /** The vertical axis begins at zero: for figures whose size matters, not their change. */
  readonly fromZero: boolean;
  readonly series: readonly ChartSeries[];
  /** Column 0 is x, ascending; then one column a series, null where it has no value. */
  readonly columns: readonly (readonly (number | null)[])[];
}

type Point = readonly [x: number, y: number];
interface Line extends ChartSeries {
  readonly points: readonly Point[];
}

/** All charts of a report, those without data left out. */
export function chartsOf(runs: readonly ReportRun[]): Chart[] {
  const several = runs.length > 1;
  const loss = (x: (step: StepMetrics) => number | undefined): Line[] =>
    runs.flatMap((run, index) => lossLines(run, several, index, x));
  const speed = runs.flatMap((run, index): Line[] => [
    {
      label: several ? run.name : `${unitOf(run)} a second`,
      tone: several ? index : 2,
      style: "line",
      points: smooth(
        pointsOf(
          run.steps,
          (step) => step.step,
          (step) => rateIn(step),
        ),
      ),
    },
  ]);
  const accuracy = runs.map((run, index): Line => ({
    label: several ? run.name : "validation",
    tone: several ? index : 1,
    style: "line",
    points: pointsOf(
      run.steps,
      (step) => step.step,
      (step) => step.validationAccuracy,
    ),
  }));
  // Of networks that train each other; their losses are no likelihoods.
  const networks = runs.flatMap((run, index) => networkLines(run, several, index));
  const lossUnit = networks.length > 0 ? "hinge loss" : "nats";
  const units = [...new Set(runs.map(unitOf))].join(" or ");
  const charts = [
    lineChart(
      "loss-steps",
      "Loss by step",
      "step",
      lossUnit,
      loss((step) => step.step),
    ),
    lineChart(
      "loss-time",
      "Loss by time",
      "seconds of training",
      lossUnit,
      loss((step) => step.seconds),
    ),
    lineChart("networks", "Discriminator and generator", "step", lossUnit, networks),
    lineChart("accuracy", "Accuracy by step", "step", "share that is right", accuracy),
    { ...lineChart("speed", "Speed", "step", `${units} a second`, speed), fromZero: true },
    ...runs.flatMap((run, index) =>
      (run.summary.ladders ?? []).map((group, place) => ({
        ...ladderChart(group, several ? run.name : ""),
        id: `ladder-${index}-${place}`, // by number: two groups may have one name, and so may two runs
      })),
    ),
    ...runs.flatMap((run, index) =>
      (run.summary.spreads?.moves ?? []).map((moves, place) => ({
        ...movesChart(moves, several ? run.name : ""),
        id: `moves-${index}-${place}`,
      })),
    ),
  ];
  return charts.filter((chart) => chart.columns[0].length > 1);
}

/** What the speed of a run counts. */
const unitOf = ({ steps }: ReportRun): string =>
  steps.some(({ samplesPerSecond }) => samplesPerSecond !== undefined) ? "samples" : "tokens";

/** One run: its loss step by step behind the running mean, and the validations. Several: means and validations. */
function lossLines(
  { name, steps }: ReportRun,
  several: boolean,
  index: number,
  x: (step: StepMetrics) => number | undefined,
): Line[] {
  const raw = pointsOf(steps, x, (step) => step.loss);
  const validation = pointsOf(steps, x, (step) => step.validationLoss);
  const label = several ? `${name} ` : "";
  const line: Line = {
    label: `${label}training, mean`,
    tone: several ? index : 0,
    style: "line",
    points: smooth(raw),
  };
  const measured: Line = {
    label: `${label}validation`,
    tone: several ? index : 1,
    style: "points",
    points: validation,
  };
  const faint: Line = { label: "training", tone: 0, style: "faint", points: thin(raw) };
  return several ? [line, measured] : [faint, line, measured];
}

/** The losses of the two networks of a GAN, smoothed. */
function networkLines({ name, steps }: ReportRun, several: boolean, index: number): Line[] {
  return (["discriminator", "generator"] as const).flatMap((network, place): Line[] => {
    const points = pointsOf(
      steps,
      (step) => step.step,
      (step) => {
        const loss = step[`${network}Loss`];
        return typeof loss === "number" ? loss : undefined;
      },
    );
    if (points.length === 0) return [];
    const tone = several ? 2 * index + place : place;
    return [{ label: `${several ? `${name} ` : ""}${network}`, tone, style: "line", points: smooth(points) }];
  });
}

function pointsOf(
  steps: readonly StepMetrics[],
  x: (step: StepMetrics) => number | undefined,
  y: (step: StepMetrics) => number | undefined,
): Point[] {
  return steps.flatMap((step): Point[] => {
    const point = [x(step), y(step)];
    const whole = point.every((value) => value !== undefined && Number.isFinite(value));
    return whole ? [point as unknown as Point] : [];
  });
}

/** Most points of a line: more than a screen has columns only makes the page heavy. */
const mostPoints = 3000;

/** Means of neighbouring points, so many that at most {@link mostPoints} remain. */
function thin(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / mostPoints);
  if (size <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, index) => {
    const group = points.slice(index * size, (index + 1) * size);
    return [group.at(-1)?.[0] ?? 0, mean(group)];
  });
}

/** Mean over a window of a fiftieth of the line, around each point: what the eye would draw. */
function smooth(points: readonly Point[]): Point[] {
  const few = thin(points);
  const half = Math.floor(few.length / 100);
  return few.map(([x], index) => [x, mean(few.slice(Math.max(0, index - half), index + half + 1))]);
}

function mean(points: readonly Point[]): number {
  return points.reduce((sum, [, y]) => sum + y, 0) / points.length;
}

function lineChart(id: string, title: string, xLabel: string, yLabel: string, lines: readonly Line[]): Chart {
  const used = lines.filter(({ points }) => points.length > 0);
  const xs = [...new Set(used.flatMap(({ points }) => points.map(([x]) => x)))].toSorted((a, b) => a - b);
  const series = used.map(({ label, tone, style }) => ({ label, tone, style }));
  const columns = used.map(({ points }) => {
    const at = new Map(points);
    return xs.map((x) => at.get(x) ?? null);
  });
  return {
    id,
    title,
    note: "",
    xLabel,
    yLabel,
    mirrored: false,
    fromZero: false,
    series,
    columns: [xs, ...columns],
  };
}

function ladderChart({ group, ...ladder }: LadderGroup, run: string): Omit<Chart, "id"> {
  const { format, exponents, positive, negative, zeros, top, bottom, initial } = ladder;
  const total = [...positive, ...negative].reduce((sum, count) => sum + count, zeros);
  const share = (count: number): string => `${((100 * count) / Math.max(1, total)).toFixed(2)} %`;
  const signed = negative.some((count) => count > 0);
  const series: ChartSeries[] = [{ label: signed ? "positive" : "count", tone: 0, style: "bars" }];
  if (signed) series.push({ label: "negative", tone: 3, style: "bars" });
  const began = initial ? [initial.positive, ...(signed ? [downwards(initial.negative)] : [])] : [];
  for (const i of began.keys())
    series.push({ label: i === 0 ? "at the start" : "at the start, negative", tone: 4, style: "line" });
  return {
    title: `${run && `${run}: `}${group} on the ladder ${format}`,
    note: `${total.toLocaleString("en")} codes: ${share(top)} at the top rung, ${share(bottom)} at the lowest, ${share(zeros)} zero`,
    xLabel: "log₂ of the magnitude, the top rung being 0",
    yLabel: "codes",
    mirrored: true,
    fromZero: false,
    series,
    columns: [exponents, positive, ...(signed ? [downwards(negative)] : []), ...began],
  };
}

const downwards = (counts: readonly number[]): number[] => counts.map((count) => 0 - count);

/** How many weights moved how far, and which way. */
function movesChart(
  { format, counts, zero, flipped, count }: SpreadReport["moves"][number],
  run: string,
): Omit<Chart, "id"> {
  const farthest = (counts.length - 1) / 2;
  const share = (part: number): string => `${((100 * part) / Math.max(1, count)).toFixed(2)} %`;
  const unit = format === "fp32" ? "sixteenths of an octave" : "rungs";
  const zeros = zero > 0 ? `, ${share(zero)} were or are zero` : "";
  return {
    title: `${run && `${run}: `}how far weights in ${format} moved`,
    note: `${share(counts[farthest])} stayed within half a step, ${share(flipped)} changed sign${zeros}; beyond ${farthest} either way at the ends`,
    xLabel: `change of magnitude since the start, ${unit}`,
    yLabel: "weights",
    mirrored: false,
    fromZero: true,
    series: [{ label: "weights", tone: 0, style: "bars" }],
    columns: [counts.map((_, i) => i - farthest), counts],
  };
}
