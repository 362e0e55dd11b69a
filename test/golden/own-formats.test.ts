/** Natural-log ladders against the numbers of B-bit Madam, and formats of one's own. */
import { describe, expect, it } from "vitest";
import { addFormat, format, formatExamples } from "../../src/formats/format.ts";
import { tableFormat } from "../../src/formats/table.ts";

describe("natural-log ladders", () => {
  it("hold the weights of two steps of B-bit Madam", () => {
    const ladder = format("lns12-eta0.001");
    const top = 0.85183625187;
    const weight = (k: number, negative = false): number =>
      top * ladder.decode(4095 - k + (negative ? 4096 : 0));
    const steps = [
      [weight(10), weight(1010, true), weight(4095)],
      [weight(4), weight(1023, true), weight(4095)],
    ];
    const golden = [
      [0.843360339545, -0.310254930418, 0.0141879684857],
      [0.848435712475, -0.306247719628, 0.0141879684857],
    ];
    steps.forEach((row, t) => row.forEach((w, i) => expect(w).toBeCloseTo(golden[t][i], 12)));
  });

  it("reach as far as the paper's", () => {
    const reach = {
      "lns12-eta0.001": 60.04,
      "lns10-eta0.005": 166.5,
      "lns8-eta0.01": 12.81,
      "lns9-eta0.005": 12.87,
    };
    for (const [name, ratio] of Object.entries(reach))
      expect([name, Number((1 / format(name).info.minPositive).toPrecision(4))]).toEqual([name, ratio]);
  });

  it("have correctly rounded rungs", () => {
    const { decode } = format("lns15-eta0.0026");
    for (let f = 0; f < 2 ** 15; f++) {
      const exact = Math.exp(-0.0026 * (2 ** 15 - 1 - f));
      if (Math.abs(decode(f) / exact - 1) > 2 ** -45) expect.fail(`field ${f}: ${decode(f)}, not ${exact}`);
    }
    expect(format("lns3-eta1").decode(6)).toBe(0.36787944117144233); // e^-1
    expect(format("lns3-eta0.5").decode(5)).toBe(0.36787944117144233);
  });

  it("round to the nearest rung by ratio, and have no zero", () => {
    const ladder = format("lns8-eta0.01");
    const codes = [1, Math.exp(-0.0049), Math.exp(-0.0051), -Math.exp(-0.02), 7, 0, -0, 1e-9, NaN];
    expect(codes.map((x) => ladder.encode(x, "nearest-even", 0))).toEqual([
      255, 255, 254, 509, 255, 0, 256, 0, 0,
    ]);
    expect(ladder.encode(Math.exp(-0.0149), "floor", 0)).toBe(253);
  });

  it("say which numbers fit", () => {
    expect(() => format("lns16-eta0.001")).toThrow(/bits is 16, wants 3 to 15, the sign not counted/);
    expect(() => format("lns12-eta0.03")).toThrow(/η₀ is 0.03, wants 0.0001 to 0.0212/);
    expect(() => format("lns8-eta0")).toThrow(/η₀ is 0, wants 0.0001 to/);
    expect(() => format("lns2-g1")).toThrow(/bits is 2, wants 3 to 16/);
    expect(() => format("fp8-e4m2")).toThrow(/did you mean "fp8-e4m3"\?/);
  });
});

describe("formats of one's own", () => {
  it("encode by distance, ties to even codes, with NaN and without zero", () => {
    const ternary = tableFormat("ternary", 2, [0, 1, -1, NaN]);
    const inputs = [0.4, 0.5, 0.6, -0.5, -0.51, 1e30, -Infinity, NaN, -0];
    expect(inputs.map((x) => ternary.encode(x, "nearest-even", 0))).toEqual([0, 0, 1, 0, 2, 1, 2, 3, 0]);
    expect(inputs.map((x) => ternary.encode(x, "nearest-away", 0))).toEqual([0, 1, 1, 2, 2, 1, 2, 3, 0]);
    expect(inputs.map((x) => ternary.encode(x, "floor", 0))).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 0]);
    const sign = tableFormat("sign", 1, [1, -1]);
    expect([3, 0.1, -0.1].map((x) => sign.encode(x, "nearest-even", 0))).toEqual([0, 0, 1]);
    const ups = Array.from({ length: 1000 }, (_, i) => sign.encode(0.5, "stochastic", i * 4294967)).filter((code) => code === 0); // prettier-ignore
    expect(ups.length).toBeCloseTo(750, -1);
  });

  it("are exact where the sum of two neighbours is not", () => {
    const far = tableFormat("far", 2, [0, 1, 2 ** 60 * 3, 2 ** 100]);
    const middle = 1.5 * 2 ** 60; // (1 + 3 · 2^60) / 2 is just above
    expect(far.encode(middle, "nearest-even", 0)).toBe(1);
    expect(far.encode(middle * (1 + 2 ** -23), "nearest-even", 0)).toBe(2);
  });

  it("take a code for NaN at infinity, or saturate", () => {
    const values = [0, 1, 2, NaN];
    expect(tableFormat("a", 2, values).encode(Infinity, "floor", 0)).toBe(2);
    expect(tableFormat("b", 2, values, { infinity: "nan" }).encode(Infinity, "floor", 0)).toBe(3);
  });

  it("are known by name once added, and refused when they cannot be", () => {
    const own = tableFormat("own2", 2, [0, 1, 2, 4]);
    addFormat({ pattern: /^own2$/, examples: ["own2"], parse: () => own });
    expect(format("own2")).toBe(own);
    expect(formatExamples()).toContain("own2");
    expect(() => addFormat({ pattern: /^own2$/, examples: ["own2"], parse: () => own })).toThrow(
      /"own2" exists already/,
    );
    expect(() => addFormat({ pattern: /^x$/, examples: ["y"], parse: () => own })).toThrow(
      /"y" does not fit/,
    );
    expect(() => tableFormat("t", 2, [0, 1, 2])).toThrow(/has 3 values, wants one for each of its 4 codes/);
    expect(() => tableFormat("t", 17, [])).toThrow(/wants 1 to 16/);
    expect(() => tableFormat("t", 1, [1, 1 + 2 ** -40])).toThrow(/are one float32/);
    expect(() => tableFormat("t", 1, [NaN, Infinity])).toThrow(/no finite value/);
    expect(() => tableFormat("t", 1, [0, 1e60])).toThrow(/beyond the range of float32/);
  });
});
