import { describe, expect, it } from "vitest";
import { format, formatExamples } from "../formats/index.ts";
import { addSpreads, spreadOfCodes, spreadOfNumbers, type Spread } from "./spread.ts";

const inBins = ({ positive, negative }: Spread): number =>
  [...positive, ...negative].reduce((sum, count) => sum + count, 0);

const coded = formatExamples()
  .map(format)
  .filter(({ bits }) => bits <= 16);

describe("the spread of codes", () => {
  it.each(coded.map(({ name }) => name))("counts every code of %s once", (name) => {
    const own = format(name);
    const codes = Array.from({ length: 2 ** own.bits }, (_, code) => code);
    const values = codes.map((code) => own.decode(code));
    const spread = spreadOfCodes([...codes, ...codes], own);
    expect(spread.count).toBe(2 * codes.length);
    const finite = values.filter((value) => Number.isFinite(value));
    expect(inBins(spread) + spread.zeros).toBe(2 * finite.length);
    expect(spread.zeros).toBe(2 * values.filter((value) => value === 0).length);
    expect(spread.negative.reduce((a, b) => a + b)).toBe(2 * finite.filter((value) => value < 0).length);
    expect(spread.positive.length).toBeLessThanOrEqual(Math.max(64, Math.ceil(spread.octaves) + 1));
    expect([spread.positive.at(-1), spread.positive[0]].every((count) => (count ?? 0) > 0)).toBe(true);
  });

  it("puts rungs where they are, and knows the ends", () => {
    const lns8 = format("lns8-g16");
    const codeOf = (x: number): number => lns8.encode(x, "nearest-even", 0);
    const spread = spreadOfCodes([1, 1, -1, 0.5, 0, 2 ** (-126 / 16)].map(codeOf), lns8);
    expect(spread).toMatchObject({
      octaves: 126 / 16,
      binsPerOctave: 8,
      top: 3,
      bottom: 1,
      zeros: 1,
      below: 0,
    });
    const { positive, negative } = spread;
    expect([positive.at(-1), positive.at(-9), positive[0], negative.at(-1)]).toEqual([2, 1, 1, 1]);
  });
});

describe("the spread of numbers against a ladder", () => {
  const ladder = { range: "lns8-g16" };

  it("counts what the ladder would not hold", () => {
    const values = Float32Array.of(4, -2, 4 * 2 ** -7.8, 4 * 2 ** -7.9, 4 * 2 ** -30, 0, Number.NaN);
    const spread = spreadOfNumbers(values, "fp32", ladder);
    expect(spread).toMatchObject({ format: "fp32", range: "lns8-g16", count: 7, zeros: 1, top: 1, below: 2 });
    expect(inBins(spread)).toBe(5);
    expect([spread.positive.at(-1), spread.negative.at(-9), spread.positive[0]]).toEqual([1, 1, 1]);
  });

  it("takes a top that is given, which numbers may exceed", () => {
    const spread = spreadOfNumbers([512, 256, 1], "fp32", { range: "ulns8-g4", top: 256 });
    expect(spread).toMatchObject({ top: 2, below: 0 });
    expect([spread.positive.at(-1), spread.positive.at(-9)]).toEqual([2, 1]);
  });

  it("is of nothing but zeros where there is nothing else", () => {
    expect(spreadOfNumbers([0, 0], "fp32", ladder)).toMatchObject({ zeros: 2, top: 0, below: 0 });
  });
});

it("addSpreads adds counts, and refuses to mix ranges", () => {
  const one = spreadOfCodes([127, 0], format("lns8-g16"));
  const named = { ...one, name: "a" };
  expect(addSpreads([named, named])).toEqual({
    ...one,
    positive: one.positive.map((count) => 2 * count),
    count: 4,
    zeros: 2,
    top: 2,
  });
  expect(() => addSpreads([one, spreadOfCodes([1], format("lns8-g8"))])).toThrow(RangeError);
  expect(() => addSpreads([])).toThrow(RangeError);
});
