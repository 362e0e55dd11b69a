/** The pages of docs/formats say what the registry says. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blockFormat, blockFormatNames } from "../../src/formats/block-format.ts";
import { formatExamples, type ScalarFormat } from "../../src/formats/format.ts";
import { factsOf, octaveText, percentText, specialsOf } from "./facts.ts";
import { elementOf, lookUpFormat } from "./look-up.ts";

const folder = new URL("../../docs/formats/", import.meta.url);
const pages = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");
const textOf = (page: string): string => readFileSync(new URL(page, folder), "utf8");

/** The number of `448`, `2^-6`, `255 · 2^120`, `2^(-126/8)` or `e^(-4.095)`. */
function numberOf(cell: string): number {
  const [, factor, base, exponent] = /^(?:([\d.]+)(?: · |$))?(?:(2|e)\^\(?([-\d./]+)\)?)?$/.exec(cell) ?? [];
  if (base === undefined) return Number(factor);
  const [over, under = "1"] = exponent.split("/");
  const power = (base === "2" ? 2 : Math.E) ** (Number(over) / Number(under));
  return Number(factor ?? 1) * power;
}

type Expected = string | number | undefined;

/** What a row of a table holds for a format; undefined where the format has no such constant. */
const scalarRows: Readonly<Record<string, (format: ScalarFormat) => Expected>> = {
  bits: ({ bits }) => bits,
  "largest value": ({ info }) => info.max,
  "smallest normal value": ({ info }) => info.minNormal,
  "smallest positive value": ({ info }) => info.minPositive,
  "largest relative error": (of) => percentText(factsOf(of).maxRelativeError),
  "values an octave": (of) => octaveText(factsOf(of).perOctave),
  has: (of) => specialsOf(factsOf(of)),
};
const codingRows: typeof scalarRows = {
  "exponent bits": ({ coding }) =>
    coding.kind === "float32" ? 8 : "exponentBits" in coding ? coding.exponentBits : undefined,
  "mantissa bits": ({ coding }) =>
    coding.kind === "float32" ? 23 : coding.kind === "float" ? coding.mantissaBits : undefined,
  "exponent bias": ({ coding }) =>
    coding.kind === "float32" ? 127 : "bias" in coding ? coding.bias : undefined,
  "fraction bits": ({ coding }) => (coding.kind === "integer" ? coding.fractionBits : undefined),
  "rungs an octave (γ)": ({ coding }) => (coding.kind === "ladder" ? coding.rungsPerOctave : undefined),
  "rungs (K)": ({ coding }) => (coding.kind === "ladder" ? coding.rungs : undefined),
  "magnitude bits (B)": ({ coding }) => (coding.kind === "natural-ladder" ? coding.magnitudeBits : undefined),
  "base precision (η₀)": ({ coding }) => (coding.kind === "natural-ladder" ? coding.step : undefined),
};

function blockRows(name: string): Record<string, Expected> {
  const { element, block, scale, scaleRule, tensorScale, bits } = blockFormat(name);
  return {
    element: element.name,
    "block size": block,
    scale: scale.name,
    "scale rule": tensorScale ? "none" : scaleRule,
    "tensor scale": tensorScale ? "yes" : "no",
    "bits an element": bits,
    "largest element": element.info.max,
  };
}

/** Rows that a format must have on its page, with what they must say. */
function expectedRows(name: string): Record<string, Expected> {
  const found = lookUpFormat(name);
  if (found.kind === "block") return blockRows(name);
  const rows = Object.entries({ ...scalarRows, ...codingRows });
  const values = rows.map(([label, read]) => [label, read(elementOf(found))] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** The table of constants: its formats, and its cells by row. */
function tableOf(page: string): { names: string[]; rows: Record<string, string[]> } {
  const section = textOf(page).split("## Constants")[1].split("\n## ")[0];
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  const cells = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  const names = cells[0].slice(1).map((cell) => cell.replaceAll("`", ""));
  const rows = cells.slice(2).map(([label, ...values]) => [label, values] as const);
  return { names, rows: Object.fromEntries(rows) };
}

describe("docs/formats", () => {
  it("has the constants of every format that the registries show, once", () => {
    const documented = pages.flatMap((page) => tableOf(page).names).toSorted();
    expect(documented).toEqual([...formatExamples(), ...blockFormatNames].toSorted());
  });

  it("has an index of every page", () => {
    const links = [...textOf("README.md").matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page);
    expect(links.toSorted()).toEqual(pages.toSorted());
  });

  describe.each(pages)("%s", (page) => {
    const { names, rows } = tableOf(page);

    it.each(names)("has the constants of %s right", (name) => {
      const expected = expectedRows(name);
      expect(Object.keys(rows).toSorted()).toEqual(Object.keys(expected).toSorted());
      for (const [label, wanted] of Object.entries(expected)) {
        const cell = rows[label][names.indexOf(name)];
        if (typeof wanted === "string") expect(`${label}: ${cell}`).toBe(`${label}: ${wanted}`);
        else
          expect(Math.abs(numberOf(cell) - (wanted ?? NaN)), label).toBeLessThanOrEqual(
            1e-14 * numberOf(cell),
          );
      }
    });

    it("says what it is, how it rounds, what for, and where it comes from, and links to pages that exist", () => {
      const text = textOf(page);
      const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
      expect(sections).toEqual(["Constants", "Rounding and overflow", "What it is good for", "Source"]);
      const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, target]) => target);
      expect(links.filter((target) => !pages.includes(target))).toEqual([]);
    });
  });

  it("reads the numbers of its tables", () => {
    const cells = ["448", "2^-6", "255 · 2^120", "2^(-126/8)", "e^(-1)", "0.001"];
    expect(cells.map(numberOf)).toEqual([448, 2 ** -6, 255 * 2 ** 120, 2 ** -15.75, 1 / Math.E, 0.001]);
  });
});
