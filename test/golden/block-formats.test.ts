/** Blocks worked out by hand from the OCP MX v1.0 definitions (design notes, section 6.2), one block each. */
import { describe, expect, it } from "vitest";
import {
  BlockFormatError,
  blockFormat,
  blockFormatNames,
  isBlockFormat,
} from "../../src/formats/block-format.ts";
import { UnknownFormatError } from "../../src/formats/format.ts";
import {
  blockScaleCode,
  dequantiseBlock,
  quantiseBlock,
  tensorScaleOf,
} from "../../src/formats/quantise-block.ts";

const FIRST = [957, 291.7882, -124.8256, 57.7898, -77.0413, 1, 0.3, 0];
const SECOND = [0.9, -0.7, 0.33, 0.12, 0.05, -0.02, 0.6, -0.25];

const golden: readonly [string, readonly number[], number, readonly number[]][] = [
  ["mxfp8-e4m3", FIRST, 1, [896, 288, -128, 56, -80, 1, 0.3125, 0]],
  ["mxfp8-e5m2", FIRST, -6, [896, 320, -128, 56, -80, 1, 0.3125, 0]],
  ["mxfp6-e3m2", FIRST, 5, [896, 320, -128, 56, -80, 0, 0, 0]],
  ["mxfp6-e2m3", FIRST, 7, [960, 288, -128, 64, -80, 0, 0, 0]],
  ["mxfp4-e2m1", FIRST, 7, [768, 256, -128, 64, -64, 0, 0, 0]],
  ["mxint8", FIRST, 9, [960, 288, -128, 56, -80, 0, 0, 0]],
  ["mxfp4-e2m1", SECOND, -3, [0.75, -0.75, 0.375, 0.125, 0.0625, -0, 0.5, -0.25]],
  ["mxfp6-e2m3", SECOND, -3, [0.875, -0.6875, 0.34375, 0.125, 0.046875, -0.015625, 0.625, -0.25]],
  ["mxfp6-e3m2", SECOND, -5, [0.875, -0.75, 0.3125, 0.125, 0.046875, -0.01953125, 0.625, -0.25]],
];

const exponent = (values: readonly number[], name: string, rule?: "floor" | "ceil" | "even"): number =>
  blockScaleCode(values, blockFormat(name, rule ? { scaleRule: rule } : {})) - 127;

describe("MX blocks", () => {
  it.each(golden)("%s of %j", (name, values, x, expected) => {
    const format = blockFormat(name);
    const block = quantiseBlock(values, format, "nearest-even");
    expect(block.scale - 127).toBe(x);
    expect([...dequantiseBlock(block, format)]).toEqual(expected);
  });

  it("rounds ties to even or away from zero", () => {
    // 4 makes the scale 1 (X = 2 - 2), so the values meet E2M1's 0, 0.5, 1, 1.5, 2, 3, 4, 6 as they are.
    const ties = [4, 2.5, 0.25, 5, -2.5, -0.25, -5];
    const format = blockFormat("mxfp4-e2m1");
    const rounded = (rounding: "nearest-even" | "nearest-away" | "floor") => [
      ...dequantiseBlock(quantiseBlock(ties, format, rounding), format),
    ];
    expect(rounded("nearest-even")).toEqual([4, 2, 0, 4, -2, -0, -4]);
    expect(rounded("nearest-away")).toEqual([4, 3, 0.5, 6, -3, -0.5, -6]);
    expect(rounded("floor")).toEqual([4, 2, 0, 4, -2, -0, -4]);
  });

  it("finds exponents by each rule", () => {
    // E2M1 tops out at 6 = 1.5 · 2²: E = 2. 7 rounds to 8 at two significant bits (halves up), 6.99 to 6.
    for (const [top, floor, ceil, even] of [[4, 0, 0, 0], [6, 0, 1, 0], [6.99, 0, 1, 0], [7, 0, 1, 1], [8, 1, 1, 1]]) {
      expect(exponent([top], "mxfp4-e2m1", "floor")).toBe(floor);
      expect(exponent([-top], "mxfp4-e2m1", "ceil")).toBe(ceil);
      expect(exponent([top, 1], "mxfp4-e2m1", "even")).toBe(even);
    }
    expect(exponent([2 - 2 ** -7], "mxint8", "even")).toBe(1);
    expect(exponent([2 - 2 ** -7 - 2 ** -20], "mxint8", "even")).toBe(0);
  }); // prettier-ignore

  it("keeps exponents within E8M0", () => {
    expect(exponent([0, 0], "mxfp4-e2m1")).toBe(-127);
    expect(exponent([2 ** -149], "mxint8")).toBe(-127);
    expect(exponent([2 ** -126], "mxint8")).toBe(-126);
    expect(exponent([3.4028234663852886e38], "mxint8")).toBe(127);
    expect(exponent([3.4028234663852886e38], "mxint8", "ceil")).toBe(127);
    expect(exponent([3.4028234663852886e38], "mxfp8-e5m2", "ceil")).toBe(113);
  });

  it("makes a block with a NaN or an infinity NaN", () => {
    for (const name of blockFormatNames)
      for (const odd of [NaN, Infinity, -Infinity]) {
        const format = blockFormat(name);
        const values = dequantiseBlock(quantiseBlock([1, odd, 2], format, "nearest-even"), format);
        expect([...values]).toEqual([NaN, NaN, NaN]);
      }
    expect(blockScaleCode([NaN], blockFormat("mxfp4-e2m1"))).toBe(255);
  });

  it("keeps zeros and their signs", () => {
    const format = blockFormat("mxfp6-e3m2");
    expect([...dequantiseBlock(quantiseBlock([0, -0], format, "stochastic"), format)]).toEqual([0, -0]);
  });
});

describe("NVFP4", () => {
  it("scales the tensor to 6 · 448, blocks by E4M3", () => {
    // max |x| = 2688 gives the tensor the scale 1; a block with maximum 30 the scale 30 / 6 = 5.
    const format = blockFormat("nvfp4");
    expect(tensorScaleOf([2688, 1], format)).toBe(1);
    const block = quantiseBlock([30, -11, 2.5, 0.1], format, "nearest-even");
    expect(format.scale.decode(block.scale)).toBe(5);
    expect([...dequantiseBlock(block, format)]).toEqual([30, -10, 2.5, 0]);
    expect([
      ...dequantiseBlock(quantiseBlock([60, -22], format, "nearest-even", undefined, 2), format, 2),
    ]).toEqual([60, -20]);
  });

  it("gives blocks of next to nothing the least scale", () => {
    const format = blockFormat("nvfp4");
    expect(format.scale.decode(quantiseBlock([0], format, "nearest-even").scale)).toBe(2 ** -9);
  });
});

describe("blockFormat", () => {
  it("counts bits, scales included", () => {
    const bits = Object.fromEntries(blockFormatNames.map((name) => [name, blockFormat(name).bits]));
    expect(bits).toEqual({
      "mxfp8-e4m3": 8.25,
      "mxfp8-e5m2": 8.25,
      "mxfp6-e2m3": 6.25,
      "mxfp6-e3m2": 6.25,
      "mxfp4-e2m1": 4.25,
      mxint8: 8.25,
      nvfp4: 4.5,
    });
    expect(blockFormat("mxfp4-e2m1", { block: 16 }).bits).toBe(4.5);
    expect(blockFormat("mxfp4-e2m1", { block: 64 })).toBe(blockFormat("mxfp4-e2m1", { block: 64 }));
  });

  it("gives ladders blocks in which the largest magnitude fits", () => {
    const format = blockFormat("lns8-g8");
    expect(isBlockFormat("lns8-g8")).toBe(false);
    const block = quantiseBlock([3, 1], format, "nearest-even");
    expect(block.scale - 127).toBe(2);
    expect(dequantiseBlock(block, format)[0]).toBeCloseTo(4 * 2 ** (-3 / 8), 6);
    expect(exponent([1.99], "lns8-g8", "even")).toBe(1);
    expect(exponent([1.5], "lns8-g8", "even")).toBe(0);
  });

  it("refuses what does not fit", () => {
    expect(() => blockFormat("mxfp4-e2m1", { block: 20 as 16 })).toThrow(BlockFormatError);
    expect(() => blockFormat("mxfp4-e2m1", { block: 20 as 16 })).toThrow(
      /block size 20 of mxfp4-e2m1, wants 16, 32, 64/,
    );
    expect(() => blockFormat("nvfp4", { block: 32 })).toThrow(/block size 32 of nvfp4, wants 16/);
    expect(() => blockFormat("nvfp4", { scaleRule: "ceil" })).toThrow(/has no scale rule/);
    expect(() => blockFormat("mxint8", { scaleRule: "round" as "ceil" })).toThrow(
      /unknown scale rule "round"/,
    );
    expect(() => blockFormat("fp32")).toThrow(/blocks of fp32 \(32 bits\), wants at most 16/);
    expect(() => blockFormat("mxfp4")).toThrow(UnknownFormatError);
    expect(() => blockFormat("mxfp4")).toThrow(/known: .*mxfp4-e2m1/);
    expect(() => quantiseBlock(new Float32Array(33), blockFormat("mxint8"), "floor")).toThrow(/33 values/);
  });
});
