import { expect, it } from "vitest";
import { formatBytes, formatFigure, formatTable, sparkline } from "./table.ts";

it("formatTable aligns text to the left and numbers to the right", () => {
  expect(
    formatTable(
      ["name", ">n"],
      [
        ["a", "10"],
        ["long name", "2"],
      ],
    ),
  ).toBe(["name        n", "a          10", "long name   2", ""].join("\n"));
});

it("figures are short", () => {
  expect([0, 999, 1234, 2.5e9].map(formatBytes)).toEqual(["0 B", "999 B", "1.23 kB", "2.5 GB"]);
  expect([2.31449, 1.23456e-7, Number.NaN].map(formatFigure)).toEqual(["2.314", "1.235e-7", "NaN"]);
});

it("sparkline shows the shape of counts, sums many into few bars, and leaves empty ones blank", () => {
  expect(sparkline([0, 1, 4, 8])).toBe(" ▁▄█");
  expect(
    sparkline(
      Array.from({ length: 100 }, () => 1),
      4,
    ),
  ).toBe("████");
  expect(sparkline([0, 0])).toBe("  ");
  expect(sparkline([])).toBe("");
});
