import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "../../src/io/file-error.ts";
import { format } from "../../src/formats/format.ts";
import { ladderHistogram } from "../../src/train/ladder-histogram.ts";
import { spreadOfCodes } from "../../src/train/spread.ts";
import { movesBetween } from "../../src/train/weight-moves.ts";
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

/** The run with attention and spreads. */
function watched(run: ReportRun): ReportRun {
  const common = { top: 0.5, entropy: 1, self: 0.25, flushed: 0 };
  const map = { ...common, shares: btoa("\u0000\u0001\u0002\u0003"), previous: 0.5, first: 0.5 };
  const text = { caption: evil, tokens: [evil, "b"], causal: true, maps: [[map, map]] };
  const image = { caption: evil, channels: 1, height: 2, width: 2, pixels: btoa("abcd"), maps: [[map]] };
  const tensor = {
    role: "weight",
    shape: [2, 2],
    ...spreadOfCodes([127, 255, 1, 0], format("lns8-g16")),
  } as const;
  const initial = { positive: tensor.negative, negative: tensor.positive };
  const moved = { median: 3, stayed: 0.25, flipped: 0 };
  const moves = { format: "lns8-g16", ...movesBetween([1, 2, 1, 1], [1, 1, -1, 0], 16) };
  const summary = {
    ...run.summary,
    attention: {
      layers: [{ name: evil, format: evil }],
      texts: [text],
      images: [{ ...image, grid: [2, 2] as const }],
    },
    spreads: {
      tensors: ["a.weight", `${evil}.weight`].map((name) => ({ ...tensor, name, initial, moved })),
      moves: [moves],
      leftOut: { vectors: 2, small: 0 },
    },
  };
  return { ...run, summary };
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

  it("show how far weights moved, and a ladder's start as lines", () => {
    const run = watched(runOf("a", steps));
    const { columns, note, fromZero } = chart(chartsOf([run]), "moves");
    expect([columns[0][0], columns[0].at(-1), fromZero]).toEqual([-64, 64, true]);
    expect(columns[1].reduce((sum: number, count) => sum + (count ?? 0), 0)).toBe(3);
    expect(note).toBe(
      "50.00 % stayed within half a step, 25.00 % changed sign, 25.00 % were or are zero; beyond 64 either way at the ends",
    );
    const [first] = run.summary.ladders ?? [];
    const began = { ...first, initial: { positive: first.negative, negative: first.positive } };
    const charts = chartsOf([{ ...run, summary: { ladders: [began] } }]);
    const ladderOfRun = chart(charts, "ladder");
    expect(ladderOfRun.series.map(({ style }) => style)).toEqual(["bars", "bars", "line", "line"]);
    expect([ladderOfRun.columns[3].at(-1), ladderOfRun.columns[4].at(-1)]).toEqual([1, -2]);
  });

  it("are none for a run without steps", () => {
    expect(chartsOf([{ ...runOf("a", []), summary: {} }])).toEqual([]);
  });
});

describe("the page", () => {
  const html = renderReport({ title: evil, runs: [runOf(evil, steps)] }, { script: "/*u*/", style: "" });
  const full = renderReport(
    { title: evil, runs: [watched(runOf(evil, steps))] },
    { script: "/*u*/", style: "" },
  );

  it("asks nothing of the network and runs nothing that a run wrote", () => {
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<(?:link|img|iframe|object|script src)|@import|url\(/i);
    expect(html).not.toContain("<script>alert");
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(html).toContain(escapeHtml(evil));
    expect(escapeHtml(`a<b>&"'`)).toBe("a&lt;b&gt;&amp;&quot;&#39;");
  });

  it("escapes tokens, captions and names of what is drawn", () => {
    expect(full).not.toContain("<script>alert");
    expect(full.match(/<script/g)).toHaveLength(4);
    expect(full).not.toMatch(/onerror="/);
    expect(full).toContain(`layer 1 (${escapeHtml(evil)}), head 1: 1.00 bits`);
    const data = /<script type="application\/json" id="attention">(.*?)<\/script>/s.exec(full)?.[1] ?? "";
    const { texts, images } = JSON.parse(data);
    expect(texts[0].tokens).toEqual([evil, "b"]);
    for (const { id } of [...texts, ...images]) expect(full).toContain(`id="${id}"`);
  });

  it("has a place to draw in for every head, and a row for every tensor", () => {
    const [text, image] = full.split('class="attention patches"');
    expect(text.match(/<button[^>]*><canvas>/g)).toHaveLength(2);
    expect(text.match(/<button[^>]*aria-pressed="true"/g)).toHaveLength(1);
    expect(image.match(/<canvas role="img" aria-label="[^"]+"/g)).toHaveLength(1 + 2); // the image, the mean, a head
    expect(full.match(/<svg[^>]*aria-label="(?:all of these|[^"]*\.weight)[^"]*: at the top /g)).toHaveLength(
      3,
    );
    expect(full).toContain("50.00 %"); // of the four codes, at the top
    expect(full).toContain("Not shown: 2 float32 vectors (biases, norms).");
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

  it("has a script that draws every head and every patch", () => {
    const data = /<script type="application\/json" id="attention">(.*?)<\/script>/s.exec(full)?.[1] ?? "";
    const said: string[] = [];
    const painted: number[][] = [];
    const context = new Proxy({} as Record<string, unknown>, {
      get: (own, name: string) =>
        own[name] ??
        ((...given: unknown[]) => {
          if (name === "fillText") said.push(String(given[0]));
          return { width: 7 };
        }),
    });
    const canvas = () => ({ width: 2, height: 2, dataset: {}, style: {}, getContext: () => context, addEventListener: () => undefined, setAttribute: () => undefined }); // prettier-ignore
    const button = () => ({ ...canvas(), querySelector: canvas, getAttribute: () => "layer 1, head 1" });
    const caption = { textContent: "" };
    class Pixels {
      readonly data: Uint8ClampedArray;
      readonly width: number;
      readonly height: number;
      constructor(width: number, height: number) {
        [this.width, this.height] = [width, height];
        this.data = new Uint8ClampedArray(4 * width * height);
        painted.push([width, height]);
      }
    }
    const place = {
      querySelectorAll: (what: string) => (what === "button" ? [button(), button()] : [canvas(), canvas(), canvas()]),
      querySelector: (what: string) => (what === "figcaption" ? caption : canvas()),
    }; // prettier-ignore
    const found: Readonly<Record<string, unknown>> = {
      charts: { textContent: "[]" },
      attention: { textContent: data },
    };
    runInNewContext(pageScript(), {
      document: { getElementById: (id: string) => found[id] ?? place, createElement: canvas },
      window: { devicePixelRatio: 2 },
      ImageData: Pixels,
      atob,
      getComputedStyle: () => ({ getPropertyValue: () => " #123456" }),
      matchMedia: () => ({ addEventListener: () => undefined }),
      addEventListener: () => undefined,
    });
    expect(said).toEqual([evil, "b", evil, "b"]); // rows, then columns
    expect(painted).toHaveLength(2 + 1 + 1); // two heads, one of them large, and the image
    expect(caption.textContent).toBe("layer 1, head 1");
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
