import { describe, expect, it } from "vitest";
import { formatNumber, formatRows, formatTable } from "./report.ts";
import { isMet } from "./suite.ts";

describe("formatNumber", () => {
  it.each([
    [182.345, "182.3"], [4012.4, "4012"], [123456, "123456"], [1.8, "1.8"], [0.01234, "0.0123"],
    [0, "0"], [-2.5, "-2.5"], [100, "100"], [NaN, "NaN"],
  ] as const)("%d is %s", (value, text) => expect(formatNumber(value)).toBe(text)); // prettier-ignore
});

describe("rows", () => {
  const row = { name: "gemm", value: 1.9, unit: "×" };

  it("meet a bound from the right side, the bound itself included", () => {
    expect(isMet(row)).toBeNull();
    expect(isMet({ ...row, target: { atLeast: 1.9 } })).toBe(true);
    expect(isMet({ ...row, target: { atLeast: 2 } })).toBe(false);
    expect(isMet({ ...row, target: { atMost: 1.8 } })).toBe(false);
  });

  it("print with target and verdict", () => {
    const text = formatRows([
      { ...row, target: { atLeast: 1.8 } },
      { ...row, best: 2.1, note: "why" },
    ]);
    expect(text.split("\n")[1]).toMatch(/^gemm +1\.9 +× +≥ 1\.8 +yes$/);
    expect(text.split("\n")[2]).toMatch(/^gemm +1\.9 +2\.1 +× +why$/);
  });
});

describe("formatTable", () => {
  it("aligns", () => {
    expect(formatTable(["a", ">n"], [["x", "10"], ["long", "2"]])).toBe("a      n\nx     10\nlong   2");
  });
}); // prettier-ignore
