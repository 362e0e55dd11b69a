/**
 * What runs inside `report.html`. The report carries the text of these functions, so they may use one another,
 * the browser and the global `uPlot`, and nothing else: no imports, no constants of this module.
 */
import type UPlot from "uplot";
import type { Chart, ChartSeries } from "./charts.ts";
import { attentionFunctions } from "./page-attention.ts";

declare const uPlot: typeof UPlot;

/** Draws every chart of the page, and again when the reader switches between light and dark or turns the screen. */
export function start(): void {
  const text = document.getElementById("charts")?.textContent ?? "[]";
  const charts = JSON.parse(text) as Chart[];
  let plots: UPlot[] = [];
  const draw = (): void => {
    for (const plot of plots) plot.destroy();
    plots = charts.flatMap(drawChart);
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", draw);
}

export function drawChart(chart: Chart): UPlot[] {
  const place = document.getElementById(chart.id);
  if (place === null) return [];
  const mirror = chart.mirrored;
  const label = (value: number): string => shortNumber(mirror ? Math.abs(value) : value);
  const options: UPlot.Options = {
    width: place.clientWidth,
    height: 260,
    scales: { x: { time: false }, ...(chart.fromZero && { y: { range: fromZero } }) },
    cursor: { points: { show: !mirror }, drag: { x: true, y: false } },
    legend: { live: true },
    axes: [axis(chart.xLabel, 42, shortNumber), axis(chart.yLabel, 66, label)],
    series: [
      { label: chart.xLabel, value: (_, value) => (value === null ? "–" : shortNumber(value)) },
      ...chart.series.map((series) => lineOf(series, label)),
    ],
  };
  return [new uPlot(options, chart.columns as UPlot.AlignedData, place)];
}

export function fromZero(_: UPlot, __: number, most: number): UPlot.Range.MinMax {
  return [0, most * 1.1];
}

export function lineOf({ label, tone, style }: ChartSeries, format: (value: number) => string): UPlot.Series {
  const color = pageColor(`--tone-${tone % 6}`);
  const bars = style === "bars";
  const series: UPlot.Series = {
    label,
    stroke: style === "faint" ? `${color}55` : color,
    width: bars ? 0 : style === "line" ? 2 : 1,
    spanGaps: !bars,
    points: { show: style === "points", size: 7, fill: color },
    value: (_, value) => (value === null ? "–" : format(value)),
  };
  if (!bars) return series;
  const paths = uPlot.paths.bars?.({ size: [1, 100] });
  return paths === undefined ? series : { ...series, fill: color, paths };
}

export function axis(label: string, size: number, format: (value: number) => string): UPlot.Axis {
  const grid = pageColor("--line");
  return {
    label,
    size,
    labelSize: 20,
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
    stroke: pageColor("--quiet"),
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1 },
    values: (_, splits) => splits.map(format),
  };
}

export function pageColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** `1500`, `11.2k`, `2.315`: at most four digits. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(4)));
}

/** The text of the page's script. */
export function pageScript(): string {
  const parts = [start, drawChart, fromZero, lineOf, axis, pageColor, shortNumber, ...attentionFunctions];
  return `${parts.map(String).join("\n")}\nstart();\nstartAttention();`;
}
