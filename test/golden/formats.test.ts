/** Facts about formats worked out by hand or with integers of any size. */
import { describe, expect, it } from "vitest";
import { float32OfBits } from "../../src/formats/float32-bits.ts";
import { format, UnknownFormatError } from "../../src/formats/format.ts";
import { rungMantissas, rungThresholds } from "../../src/formats/ladder.ts";
import { log2Fixed } from "../../src/formats/log2-fixed.ts";

describe("logarithmic formats", () => {
  it("round with a relative error of at most 2^(1/2γ) - 1", () => {
    const percent = { 1: 41.4, 2: 18.9, 4: 9.05, 8: 4.43, 16: 2.19, 32: 1.09, 128: 0.271, 2048: 0.0169 };
    for (const [γ, bound] of Object.entries(percent)) {
      const lns = format(`lns16-g${γ}`);
      let worst = 0;
      for (let m = 0; m < 2 ** 23; m += 239) {
        const x = float32OfBits(0x3e800000 | m);
        const rounded = lns.decode(lns.encode(x, "nearest-even", 0));
        worst = Math.max(worst, Math.abs(rounded / x - 1) * 100);
      }
      expect(worst).toBeLessThanOrEqual(bound * 1.005);
      expect(worst).toBeGreaterThan(bound * 0.9);
    }
  });

  it("cover (2^(bits-1) - 2) / γ octaves below the top rung, and half a rung to zero", () => {
    const octaves = {
      "lns8-g8": 15.75,
      "lns8-g16": 7.875,
      "lns8-g4": 31.5,
      "lns7-g8": 7.75,
      "lns6-g8": 3.75,
    };
    for (const [name, range] of Object.entries(octaves)) {
      const lns = format(name);
      expect(-Math.log2(lns.info.minPositive)).toBeCloseTo(range, 12);
      const rung = lns.decode(2) / lns.decode(1);
      expect(lns.encode(lns.info.minPositive * rung ** -0.49, "nearest-even", 0)).toBe(1);
      expect(lns.encode(lns.info.minPositive * rung ** -0.51, "nearest-even", 0)).toBe(0);
    }
    expect(format("ulns8-g4").info.minPositive).toBe(Math.SQRT2 * 2 ** -64);
  });

  it("have the codes of lns8-g8 where they should be", () => {
    const lns = format("lns8-g8");
    const values = [1, 0.5, 0.25, -1, -0.5, 0, -0, 7, -7, 2 ** -15.75, 1e-9, 0.9];
    const codes = values.map((x) => lns.encode(x, "nearest-even", 0));
    expect(codes).toEqual([127, 119, 111, 255, 247, 0, 128, 127, 255, 1, 0, 126]);
    expect(lns.decode(127 - 1)).toBe(0.9170040432046712); // 2^(-1/8)
  });

  it("decide at thresholds proved with integers: (2²³ + m)^2γ ≥ 2^(2i - 1 + 46 γ), and m - 1 not", () => {
    for (const γ of [1, 2, 4, 8, 16, 32, 64, 128, 2048]) {
      const thresholds = rungThresholds(γ);
      const stride = γ > 128 ? 311 : 1;
      for (let i = 1; i <= γ; i += stride) {
        const bound = 1n << BigInt(2 * i - 1 + 46 * γ);
        const reaches = (m: number): boolean => BigInt(2 ** 23 + m) ** BigInt(2 * γ) >= bound;
        if (!reaches(thresholds[i - 1]) || reaches(thresholds[i - 1] - 1))
          expect.fail(`γ ${γ}, threshold ${i}`);
      }
    }
  });

  it("have correctly rounded rungs", () => {
    for (const γ of [1, 8, 2048])
      rungMantissas(γ).forEach((value, i) => {
        if (Math.abs(value - 2 ** (i / γ)) > 2 ** -52) expect.fail(`rung ${i} of ${γ}: ${value}`);
      });
    expect(rungMantissas(2)[1]).toBe(Math.SQRT2);
  });

  it("take logarithms within 2⁻²³ octaves before rounding, exact at powers of two, rising", () => {
    let before = -Infinity;
    for (let m = 0; m < 2 ** 23; m += 509) {
      const x = float32OfBits(0x3f800000 | m);
      const fixed = log2Fixed(x);
      expect(fixed).toBeGreaterThanOrEqual(before);
      before = fixed;
      if (Math.abs(fixed / 2 ** 23 - 127 - Math.log2(x)) > 2 ** -23) expect.fail(`log2 ${x}`);
    }
    expect([2 ** -149, 2 ** -126, 1, 2 ** 127].map((x) => log2Fixed(x))).toEqual(
      [-22, 1, 127, 254].map((e) => e * 2 ** 23),
    );
  });
});

describe("bf16", () => {
  it("rounds ties to even and overflows to infinity", () => {
    const bf16 = format("bf16");
    const cases: [number, number][] = [
      [0x3f808000, 0x3f80], // 1 + half a step: down to even
      [0x3f818000, 0x3f82], // up to even
      [0x3f808001, 0x3f81],
      [0x7f7f8000, 0x7f80],
      [0x7f7f7fff, 0x7f7f],
      [0x00008000, 0x0000],
      [0x00018000, 0x0002],
      [0x80400000, 0x8040],
      [0x7fc00001, 0x7fc0],
      [0xff800000, 0xff80],
    ];
    for (const [bits, code] of cases) expect(bf16.encode(float32OfBits(bits), "nearest-even", 0)).toBe(code);
    expect(bf16.encode(float32OfBits(0x3f800001), "stochastic", 0xffff0000)).toBe(0x3f81);
    expect(bf16.encode(float32OfBits(0x3f800001), "stochastic", 0xfffe0000)).toBe(0x3f80);
    expect(bf16.info).toMatchObject({
      max: 3.3895313892515355e38,
      minNormal: 2 ** -126,
      minPositive: 2 ** -133,
    });
  });
});

describe("format", () => {
  it("teaches when a name is wrong", () => {
    expect(() => format("lns9")).toThrow(UnknownFormatError);
    expect(() => format("lns8-8")).toThrow(
      /^logrung: unknown format "lns8-8" \(did you mean "lns8-g8"\? known: fp32, /,
    );
    expect(() => format("lns8-g3")).toThrow(/γ is 3, wants a power of two from 1 to 2048/);
    expect(() => format("lns17-g8")).toThrow(/bits is 17, wants 3 to 16/);
    expect(() => format("lns8-g4096")).toThrow(UnknownFormatError);
    expect(format("lns8-g8")).toBe(format("lns8-g8"));
  });
});
