import { describe, expect, it } from "vitest";
import { axisOf, blocks, lines, pieces } from "./lines.ts";

describe("lines", () => {
  const places = (segments: Iterable<{ offset: number; stride: number; length: number }>): number[][] =>
    [...segments].map(({ offset, stride, length }) => Array.from({ length }, (_, i) => offset + i * stride));

  it("run along any axis", () => {
    expect(places(lines([2, 3], 1))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(places(lines([2, 3], 0))).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(places(lines([2, 2, 2], 1))).toEqual([
      [0, 2],
      [1, 3],
      [4, 6],
      [5, 7],
    ]);
    expect(places(lines([], 0))).toEqual([[0]]);
    expect(places(lines([3, 0], 1)).flat()).toEqual([]);
  });

  it("are cut into blocks, and a tensor into pieces, that hold every element once", () => {
    expect(places(blocks([2, 5], 1, 2))).toEqual([[0, 1], [2, 3], [4], [5, 6], [7, 8], [9]]);
    for (const axis of [0, 1, 2]) {
      const all = places(blocks([5, 7, 3], axis, 4)).flat();
      expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 105 }, (_, i) => i));
    }
    const total = [...pieces(200_000)].reduce((sum, { length }) => sum + length, 0);
    expect(total).toBe(200_000);
  });

  it("count axes from both ends", () => {
    expect([axisOf("w", [2, 3], -1), axisOf("w", [2, 3], 0), axisOf("w", [], -1)]).toEqual([1, 0, 0]);
    expect(() => axisOf("w", [2, 3], 2)).toThrow('"w" [2, 3] has no axis 2: wants --axis from -2 to 1');
  });
});
