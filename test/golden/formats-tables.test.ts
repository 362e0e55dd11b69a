/**
 * Every code of the standard formats, and how numbers convert to them, from their definitions: OCP OFP8 v1.0, OCP MX
 * v1.0, IEEE 754. The tables below are written or generated here without the encoders and decoders under test.
 */
import { describe, expect, it } from "vitest";
import { format, roundings, type ScalarFormat } from "../../src/formats/format.ts";
import { integerFormat } from "../../src/formats/integer.ts";

/** first, first + step, … , last */
const range = (first: number, last: number, step: number): number[] =>
  Array.from({ length: Math.round((last - first) / step) + 1 }, (_, i) => first + i * step);

/** 1.M · 2^E for all M, rising, for E = from … to. */
function octaves(from: number, to: number, mantissaBits: number): number[] {
  const octave = (E: number): number[] => range(0, 2 ** mantissaBits - 1, 1).map((M) => (1 + M / 2 ** mantissaBits) * 2 ** E); // prettier-ignore
  return range(from, to, 1).flatMap(octave);
}

/** k · step for k = 0 … count - 1: zero and the subnormal numbers. */
const subnormals = (count: number, step: number): number[] => range(0, count - 1, 1).map((k) => k * step);

/** Values of the codes without the sign bit, which is the highest. */
const tables: Readonly<Record<string, readonly number[]>> = {
  "fp4-e2m1": [0, 0.5, 1, 1.5, 2, 3, 4, 6],
  "fp6-e2m3": [...range(0, 1.875, 0.125), ...range(2, 3.75, 0.25), ...range(4, 7.5, 0.5)],
  "fp6-e3m2": [
    ...range(0, 0.4375, 0.0625), ...range(0.5, 0.875, 0.125), ...range(1, 1.75, 0.25), ...range(2, 3.5, 0.5),
    ...range(4, 7, 1), ...range(8, 14, 2), 16, 20, 24, 28,
  ],
  "fp8-e4m3": [...subnormals(8, 2 ** -9), ...octaves(-6, 8, 3).slice(0, -1), NaN],
  "fp8-e5m2": [...subnormals(4, 2 ** -16), ...octaves(-14, 15, 2), Infinity, NaN, NaN, NaN],
  fp16: [...subnormals(1024, 2 ** -24), ...octaves(-14, 15, 10), Infinity, ...Array.from({ length: 1023 }, () => NaN)],
  bf16: [...subnormals(128, 2 ** -133), ...octaves(-126, 127, 7), Infinity, ...Array.from({ length: 127 }, () => NaN)],
}; // prettier-ignore

const valuesOf = ({ bits, decode }: ScalarFormat): number[] =>
  Array.from({ length: 2 ** bits }, (_, code) => decode(code));

describe("values of all codes", () => {
  it.each(Object.entries(tables))("%s", (name, magnitudes) => {
    const own = valuesOf(format(name));
    const wanted = [...magnitudes, ...magnitudes.map((x) => -x)];
    expect(own.length).toBe(wanted.length);
    expect(own.filter((x, code) => !Object.is(x, wanted[code])).slice(0, 5)).toEqual([]);
  });

  it("int8, int4, the elements of MXINT8: two's complement", () => {
    expect(valuesOf(format("int8"))).toEqual([...range(0, 127, 1), ...range(-128, -1, 1)]);
    expect(valuesOf(format("int4"))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1]);
    expect(valuesOf(integerFormat("int8-f6", 8, 6))).toEqual([...range(0, 127, 1), ...range(-128, -1, 1)].map((n) => n / 64)); // prettier-ignore
    expect(integerFormat("int8-f6", 8, 6).info.max).toBe(1.984375);
  });

  it("e8m0", () => {
    expect(valuesOf(format("e8m0"))).toEqual([...range(-127, 127, 1).map((x) => 2 ** x), NaN]);
  });

  it("ranges", () => {
    const ranges = { "fp8-e4m3": [448, 2 ** -6, 2 ** -9], "fp8-e5m2": [57344, 2 ** -14, 2 ** -16], "fp6-e3m2": [28, 0.25, 0.0625], "fp6-e2m3": [7.5, 1, 0.125], "fp4-e2m1": [6, 1, 0.5], fp16: [65504, 2 ** -14, 2 ** -24] }; // prettier-ignore
    for (const [name, expected] of Object.entries(ranges)) {
      const { max, minNormal, minPositive } = format(name).info;
      expect([name, max, minNormal, minPositive]).toEqual([name, ...expected]);
    }
  });
});

/** x after encoding and decoding. */
const through = (name: string, x: number, rounding: (typeof roundings)[number] = "nearest-even"): number => {
  const target = format(name);
  return target.decode(target.encode(x, rounding, 0x80000000));
};

describe("conversions", () => {
  it("tie to even, or away from zero, or cut", () => {
    const cases: [string, number, number, number, number][] = [
      ["fp4-e2m1", 2.5, 2, 3, 2],
      ["fp4-e2m1", 0.25, 0, 0.5, 0],
      ["fp4-e2m1", 5, 4, 6, 4],
      ["fp4-e2m1", -3.5, -4, -4, -3],
      ["fp8-e4m3", 2 ** -10, 0, 2 ** -9, 0],
      ["fp8-e4m3", 1.0625, 1, 1.125, 1],
      ["fp8-e4m3", 957 / 2, 448, 448, 448],
      ["fp8-e5m2", 61440, 57344, 57344, 57344],
      ["fp16", 65520, Infinity, Infinity, 65504],
      ["fp16", 65519.99609375, 65504, 65504, 65504],
      ["fp16", 2 ** -25, 0, 2 ** -24, 0],
      ["int8", 2.5, 2, 3, 2],
      ["int8", -0.5, 0, -1, 0],
      ["int8", 127.5, 127, 127, 127],
      ["int4", -100, -7, -7, -7],
      ["e8m0", 3, 2, 4, 2], // codes 128 and 129
      ["e8m0", 1.5, 2, 2, 1], // 127 is odd
    ];
    for (const [name, x, even, away, floor] of cases) {
      const got = [through(name, x), through(name, x, "nearest-away"), through(name, x, "floor")];
      expect([name, x, ...got.map((y) => y + 0)]).toEqual([name, x, even, away, floor]);
    }
  });

  it("saturate as OFP8 and MX say, and keep NaN where there is one", () => {
    for (const rounding of roundings) {
      for (const name of ["fp8-e4m3", "fp8-e5m2", "fp6-e2m3", "fp6-e3m2", "fp4-e2m1", "int8", "e8m0"]) {
        const { max, hasNaN } = format(name).info;
        expect([name, through(name, Infinity, rounding)]).toEqual([name, max]);
        expect([name, through(name, NaN, rounding)]).toEqual([name, hasNaN ? NaN : 0]);
      }
      for (const name of ["fp16", "bf16", "fp32"])
        expect([through(name, -Infinity, rounding), through(name, NaN, rounding)]).toEqual([-Infinity, NaN]);
    }
    expect(format("fp8-e4m3").encode(-NaN, "nearest-even", 0)).toBe(0x7f);
    expect([0, -0, -1, 1e-45].map((x) => format("e8m0").encode(x, "nearest-even", 0))).toEqual([0, 0, 0, 0]);
  });

  it("give the golden blocks of MX, with the block's exponent divided out", () => {
    const block = [957, 291.7882, -124.8256, 57.7898, -77.0413, 1, 0.3, 0];
    const other = [0.9, -0.7, 0.33, 0.12, 0.05, -0.02, 0.6, -0.25];
    const cases: [string, number, number[], number[]][] = [
      ["fp8-e4m3", 1, block, [896, 288, -128, 56, -80, 1, 0.3125, 0]],
      ["fp8-e5m2", -6, block, [896, 320, -128, 56, -80, 1, 0.3125, 0]],
      ["fp6-e3m2", 5, block, [896, 320, -128, 56, -80, 0, 0, 0]],
      ["fp6-e2m3", 7, block, [960, 288, -128, 64, -80, 0, 0, 0]],
      ["fp4-e2m1", 7, block, [768, 256, -128, 64, -64, 0, 0, 0]],
      ["fp4-e2m1", -3, other, [0.75, -0.75, 0.375, 0.125, 0.0625, -0, 0.5, -0.25]],
      ["fp6-e2m3", -3, other, [0.875, -0.6875, 0.34375, 0.125, 0.046875, -0.015625, 0.625, -0.25]],
      ["fp6-e3m2", -5, other, [0.875, -0.75, 0.3125, 0.125, 0.046875, -0.01953125, 0.625, -0.25]],
    ];
    for (const [name, X, values, expected] of cases)
      expect([name, values.map((x) => through(name, x / 2 ** X) * 2 ** X)]).toEqual([name, expected]);
    const mxint8 = integerFormat("int8-f6", 8, 6);
    const integers = block.map((x) => mxint8.decode(mxint8.encode(x / 512, "nearest-even", 0)) * 512);
    expect(integers).toEqual([960, 288, -128, 56, -80, 0, 0, 0]);
  });
});
