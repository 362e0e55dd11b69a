import { describe, expect, it } from "vitest";
import { interleave, median, pairedRatio } from "./timing.ts";

describe("median", () => {
  it("is the middle, or between the two middles", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("pairedRatio", () => {
  it("compares neighbours, so that a slow round spoils no ratio", () => {
    expect(pairedRatio([2, 20, 2], [1, 10, 1])).toBe(2);
  });
});

describe("interleave", () => {
  it("runs the works in turns after warming up, and waits for promises", async () => {
    const order: string[] = [];
    const a = () => void order.push("a");
    const b = async () => {
      await Promise.resolve();
      order.push("b");
    };
    const times = await interleave([a, b], { samples: 3, milliseconds: 0, warmUp: 1 });
    expect(order.join("")).toBe("aabbababab");
    expect(times.map((samples) => samples.length)).toEqual([3, 3]);
    expect(times.flat().every((ms) => ms >= 0)).toBe(true);
  });
});
