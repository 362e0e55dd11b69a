import { describe, expect, it } from "vitest";
import { ErrorStatistics, histogramLow } from "./statistics.ts";

describe("statistics", () => {
  const of = (pairs: readonly (readonly [x: number, y: number, top: number])[]) => {
    const statistics = new ErrorStatistics();
    for (const [x, y, top] of pairs) statistics.add(x, y, top);
    return statistics;
  };

  it("are right on a handful of numbers", () => {
    const statistics = of([
      [3, 3, 10],
      [-4, -5, 10],
      [0.1, 0, 10],
      [12, 10, 10],
      [0, 0, 10],
    ]);
    const noise = 1 + 0.01 + 4;
    const figures = statistics.figures();
    expect(figures.sqnr).toBeCloseTo(10 * Math.log10((9 + 16 + 0.01 + 144) / noise), 12);
    expect(figures).toMatchObject({
      elements: 5,
      exact: false,
      maxRelativeError: 1,
      maxRelativeErrorInRange: 0.25,
    });
    expect(figures).toMatchObject({ saturated: 0.2, flushed: 0.2, nan: 0, infinite: 0, lost: 0 });
    expect(statistics.exactElements).toBe(2);
    expect(statistics.histogram[-2 - histogramLow]).toBe(1); // 1/4 is in [2^-2, 2^-1)
    expect(statistics.histogram[0 - histogramLow]).toBe(1); // flushed
    expect(statistics.histogram.reduce((sum, count) => sum + count)).toBe(3);
  });

  it("tell exact from nothing, and leave out what is not a number", () => {
    expect(
      of([
        [1, 1, 2],
        [0, -0, 2],
      ]).figures(),
    ).toMatchObject({ sqnr: null, exact: true, maxRelativeError: 0 });
    expect(
      of([
        [NaN, 0, 2],
        [-Infinity, -2, 2],
        [1, NaN, NaN],
        [1, 1.5, 2],
      ]).figures(),
    ).toMatchObject({
      nan: 1,
      infinite: 1,
      lost: 1,
      exact: false,
      maxRelativeError: 0.5,
      sqnr: 10 * Math.log10(4),
    });
  });

  it("do not take the slip of a float32 division for saturation", () => {
    expect(of([[1 + 2 ** -23, 1, 1]]).figures().saturated).toBe(0);
    expect(of([[1 + 2 ** -21, 1, 1]]).figures().saturated).toBe(1);
  });

  it("add up over tensors", () => {
    const [a, b] = [
      of([[1, 1.5, 2]]),
      of([
        [4, 0, 2],
        [NaN, 0, 2],
      ]),
    ];
    const both = of([
      [1, 1.5, 2],
      [4, 0, 2],
      [NaN, 0, 2],
    ]);
    a.include(b);
    expect(a.figures()).toEqual(both.figures());
    expect(a.histogram).toEqual(both.histogram);
  });
});
