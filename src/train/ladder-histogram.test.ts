import { describe, expect, it } from "vitest";
import { format } from "../formats/format.ts";
import { addHistograms, ladderHistogram, type LadderHistogram } from "./ladder-histogram.ts";

function histogram(name: string, codes: ArrayLike<number>): LadderHistogram {
  const found = ladderHistogram(codes, format(name));
  if (found === undefined) throw new Error(`${name} is no ladder`);
  return found;
}

describe("ladderHistogram", () => {
  it("counts by sign and rung, and the ends apart", () => {
    const lns8 = format("lns8-g16");
    const codes = [0, 1, 0.5, -1, -1, 2 ** (1 / 16 - 127 / 16)].map((x) => lns8.encode(x, "nearest-even", 0));
    const { positive, negative, zeros, top, bottom, exponents } = histogram("lns8-g16", codes);
    expect([zeros, top, bottom]).toEqual([1, 3, 1]);
    expect(positive).toHaveLength(127);
    const at = (log2: number) => exponents.indexOf(log2);
    expect([positive[at(0)], positive[at(-1)], negative[at(0)], positive[0]]).toEqual([1, 1, 2, 1]);
    expect(positive.concat(negative).reduce((a, b) => a + b)).toBe(5);
  });

  it("counts unsigned ladders on one side", () => {
    const { positive, negative, top } = histogram("ulns8-g4", Uint8Array.of(255, 254, 1, 0));
    expect([top, positive.at(-1), positive.at(-2), positive[0]]).toEqual([1, 1, 1, 1]);
    expect(Math.max(...negative)).toBe(0);
  });

  it("takes neighbouring rungs of a fine ladder together, the top rung heading its bin", () => {
    const { positive, exponents, binsPerOctave } = histogram("lns16-g1024", Uint16Array.of(32767, 32766, 1));
    expect(positive.length).toBeLessThanOrEqual(256);
    expect([positive.at(-1), positive[0]]).toEqual([2, 1]);
    expect(exponents.at(-1)).toBe(0);
    expect(exponents.at(-2)).toBe(-1 / binsPerOctave);
  });

  it("is undefined for a format that is no ladder", () => {
    expect(ladderHistogram([1], format("bf16"))).toBeUndefined();
  });
});

it("addHistograms adds bins and refuses to mix formats", () => {
  const one = histogram("lns8-g16", Uint8Array.of(127, 0));
  const sum = addHistograms([one, one]);
  expect([sum.top, sum.zeros, sum.positive.at(-1)]).toEqual([2, 2, 2]);
  expect(() => addHistograms([one, histogram("lns8-g8", [1])])).toThrow(RangeError);
  expect(() => addHistograms([])).toThrow(RangeError);
});
