import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../../src/io/file-error.ts";
import { format } from "../../src/formats/format.ts";
import { ladderHistogram } from "../../src/train/ladder-histogram.ts";
import type { StepMetrics } from "../../src/train/metrics.ts";
import type { LadderGroup } from "../../src/train/run-summary.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { figures } from "./figures.ts";
import { escapeHtml } from "./escape.ts";
import { renderReport } from "./html.ts";
import { pageScript, shortNumber } from "./page.ts";
import type { ReportRun } from "./report-data.ts";
import { writeReport } from "./write-report.ts";

const evil = '</script><script>alert(1)</script><img src=x onerror="alert(2)">';

function ladder(codes: number[]): LadderGroup {
  const histogram = ladderHistogram(codes, format("lns8-g16"));
  if (histogram === undefined) throw new Error("lns8-g16 is no ladder");
  return { group: `weights ${evil}`, ...histogram };
}

function runOf(name: string, steps: readonly StepMetrics[]): ReportRun {
  const summary = {
    sample: { prompt: evil, text: `${evil}&` },
    ladders: [ladder([127, 127, 255, 1, 0])],
    validation: { loss: 1.25 },
    optimizer: evil,
  };
  return { name, config: { recipe: evil, model: { layers: 2 } }, sessions: [], steps, summary };
}

const steps: StepMetrics[] = [
  { step: 1, seconds: 0.5, loss: 4, tokensPerSecond: 10 },
  { step: 2, seconds: 1, loss: Number.NaN, tokensPerSecond: 10 },
  { step: 3, seconds: 1.5, loss: 2, tokensPerSecond: 10, validationLoss: 2.5 },
];

function chart(charts: readonly Chart[], id: string): Chart {
  const found = charts.find((entry) => entry.id.startsWith(id));
  if (found === undefined) throw new Error(`no chart ${id}`);
  return found;
}

describe("charts", () => {
  it("align lines that have values at different steps, leaving out what is not finite", () => {
    const { columns, series } = chart(chartsOf([runOf("a", steps)]), "loss-steps");
    expect(series.map((entry) => entry.label)).toEqual(["training", "training, mean", "validation"]);
    expect(columns).toEqual([
      [1, 3],
      [4, 2],
      [4, 2],
      [null, 2.5],
    ]);
    expect(chart(chartsOf([runOf("a", steps)]), "loss-time").columns[0]).toEqual([0.5, 1.5]);
  });

  it("compare runs of different length on one axis", () => {
    const longer = [...steps, { step: 4, loss: 1 }];
    const { columns, series } = chart(chartsOf([runOf("a", steps), runOf("b", longer)]), "loss-steps");
    expect(columns[0]).toEqual([1, 3, 4]);
    expect(series.map((entry) => entry.label)).toContain("b training, mean");
    expect(columns[1]).toEqual([4, 2, null]);
  });

  it("keep long runs light without losing their end", () => {
    const long = Array.from({ length: 50_000 }, (_, index) => ({ step: index + 1, loss: 3 }));
    const [xs, raw, mean] = chart(chartsOf([runOf("a", long)]), "loss-steps").columns;
    expect(xs.length).toBeLessThanOrEqual(3000);
    expect(xs.at(-1)).toBe(50_000);
    expect(new Set([...raw, ...mean])).toEqual(new Set([3]));
  });

  it("show a ladder's two signs up and down, with what is at its ends", () => {
    const { columns, note } = chart(chartsOf([runOf("a", steps)]), "ladder");
    expect([columns[0].at(-1), columns[1].at(-1), columns[2].at(-1), columns[1][0]]).toEqual([0, 2, -1, 1]);
    expect(note).toBe("5 codes: 60.00 % at the top rung, 20.00 % at the lowest, 20.00 % zero");
  });

  it("are none for a run without steps", () => {
    expect(chartsOf([{ ...runOf("a", []), summary: {} }])).toEqual([]);
  });
});

describe("the page", () => {
  const html = renderReport({ title: evil, runs: [runOf(evil, steps)] }, { script: "/*u*/", style: "" });

  it("asks nothing of the network and runs nothing that a run wrote", () => {
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<(?:link|img|iframe|object|script src)|@import|url\(/i);
    expect(html).not.toContain("<script>alert");
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(html).toContain(escapeHtml(evil));
    expect(escapeHtml(`a<b>&"'`)).toBe("a&lt;b&gt;&amp;&quot;&#39;");
  });

  it("has a script that draws every chart from the data in it", () => {
    const data = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(html)?.[1] ?? "";
    expect(JSON.parse(data)).toEqual(chartsOf([runOf(evil, steps)]));
    const drawn: { options: { series: unknown[] }; columns: unknown[][] }[] = [];
    class Plot {
      static readonly paths = { bars: () => null };
      constructor(options: { series: unknown[] }, columns: unknown[][]) {
        drawn.push({ options, columns });
      }
    }
    runInNewContext(pageScript(), {
      uPlot: Plot,
      document: {
        getElementById: (id: string) => ({ textContent: id === "charts" ? data : "", clientWidth: 9 }),
      },
      getComputedStyle: () => ({ getPropertyValue: () => " #123456" }),
      matchMedia: () => ({ addEventListener: () => undefined }),
      addEventListener: () => undefined,
    });
    expect(drawn).toHaveLength(4);
    for (const { options, columns } of drawn) expect(options.series).toHaveLength(columns.length);
  });

  it("writes numbers short", () => {
    expect([1500, 11_234, 2_500_000, 2.31449, 0].map(shortNumber)).toEqual([
      "1500",
      "11.2k",
      "2.5M",
      "2.314",
      "0",
    ]);
  });
});

it("figures fall back to the metrics of a run that has not ended", () => {
  const run = { ...runOf("a", steps), summary: {} };
  const read = (label: string) => figures.find((entry) => entry.label === label)?.read(run);
  expect(["validation loss", "steps", "peak memory"].map(read)).toEqual(["2.5000", "3", "–"]);
});

describe("writeReport", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "logrung-report-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("puts uPlot into the one file", async () => {
    const path = await writeReport(folder, { title: "t", runs: [runOf("a", steps)] });
    const html = await readFile(path, "utf8");
    expect(html).toContain("var uPlot=");
    expect(html).toContain(".u-legend");
  });

  it("says when it cannot be written", async () => {
    await expect(writeReport(join(folder, "no"), { title: "t", runs: [] })).rejects.toThrow(FileError);
  });
});
