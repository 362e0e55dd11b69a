/** What every scalar format of the registry owes, checked code by code. */
import { describe, expect, it } from "vitest";
import type { ScalarFormat } from "../../../src/formats/format.ts";
import { criticalFloats, sampleFormats, testRandom } from "./sample.ts";

const codesOf = ({ bits }: ScalarFormat): number[] => Array.from({ length: 2 ** bits }, (_, code) => code);
const negated = ({ info }: ScalarFormat, code: number): number => (code ^ (1 << (info.signBit ?? 31))) >>> 0;
const isNegative = (x: number): boolean => x < 0 || Object.is(x, -0);

/** Whether float32, which encoders take, tells this value from the next; the ladder's subnormals it does not. */
const reachesFloat32 = ({ coding, info }: ScalarFormat, code: number, value: number): boolean =>
  coding.kind !== "ladder" ||
  Math.abs(value) >= 2 ** -126 ||
  (value === 0 && code % 2 ** (info.signBit ?? 31) === 0);

/** Values of the non-negative codes in ascending order, Inf included. */
function magnitudes(format: ScalarFormat): { code: number; value: number }[] {
  return codesOf(format)
    .map((code) => ({ code, value: format.decode(code) }))
    .filter(({ value }) => !Number.isNaN(value) && !isNegative(value));
}

/** How far x is from a value in the format's measure; the ladder's zero counts as the rung below the lowest. */
function distance({ coding }: ScalarFormat, lowest: number, x: number, value: number): number {
  if (coding.kind !== "ladder") return Math.abs(x - value);
  const log = value === 0 ? Math.log2(lowest) - 1 / coding.rungsPerOctave : Math.log2(value);
  return Math.abs(Math.log2(x) - log);
}

describe.each(sampleFormats.map((format) => [format.name, format] as const))("%s", (_, format) => {
  const { info } = format;

  it("encodes the value of every code back to that code, by either rounding and any bits", () => {
    const wrong = codesOf(format).filter((code) => {
      const value = format.decode(code);
      if (Number.isNaN(value) || !reachesFloat32(format, code, value)) return false;
      const codes = [
        format.encode(value, "nearest-even", 0),
        ...[0, 1, 0x7fffffff, 0xffffffff].map((u) => format.encode(value, "stochastic", u)),
      ];
      return codes.some((back) => back !== code);
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  it("is monotone in its codes", () => {
    const values = magnitudes(format).map(({ value }) => value);
    const falls = values.findIndex(
      (value, i) => i > 0 && (value < values[i - 1] || (value === values[i - 1] && value !== 0)),
    );
    expect(falls).toBe(-1);
  });

  it("rounds to the nearest value in its measure", () => {
    const ladder = magnitudes(format).filter(
      ({ code, value }) => value < Infinity && (value >= info.minPositive || code === info.zeroCode),
    );
    const lowest = info.minPositive;
    const random = testRandom(7);
    const inputs = [...criticalFloats(format)].filter((x) => x > 0 && x <= info.max);
    for (let i = 0; i < (format.bits > 12 ? 40 : 300); i++) {
      const x = inputs[random() % inputs.length];
      const chosen = format.decode(format.encode(x, "nearest-even", 0));
      const least = Math.min(...ladder.map(({ value }) => distance(format, lowest, x, value)));
      expect(distance(format, lowest, x, chosen)).toBeLessThanOrEqual(least + 2 ** -42);
    }
  });

  it("is odd when signed, and sends negative numbers to zero when not", () => {
    for (const x of criticalFloats(format)) {
      if (Number.isNaN(x)) continue;
      for (const rounding of ["nearest-even", "stochastic"] as const) {
        const positive = format.encode(Math.abs(x), rounding, 0x12345678);
        const expected = info.signBit === null ? 0 : negated(format, positive);
        if (format.encode(-Math.abs(x), rounding, 0x12345678) !== expected)
          expect.fail(`-|${x}| by ${rounding} is not the negative of |${x}|`);
      }
    }
  });

  it("saturates or overflows at the top, keeps zero and does not invent numbers for NaN", () => {
    const top = info.hasInf ? Infinity : info.max;
    for (const x of [Infinity, 3.4028234663852886e38]) {
      expect(format.decode(format.encode(x, "nearest-even", 0))).toBe(top);
      if (!info.hasInf) expect(format.decode(format.encode(x, "stochastic", 0xffffffff))).toBe(top);
    }
    expect(format.encode(0, "nearest-even", 0)).toBe(info.zeroCode);
    expect(format.encode(0, "stochastic", 0xffffffff)).toBe(info.zeroCode);
    expect(
      Object.is(format.decode(format.encode(-0, "nearest-even", 0)), info.signBit === null ? 0 : -0),
    ).toBe(true);
    const ofNaN = format.decode(format.encode(NaN, "stochastic", 0xffffffff));
    expect(ofNaN).toBe(info.hasNaN ? NaN : 0);
  });

  it("rounds stochastically to the neighbours, right on average in its measure", () => {
    const random = testRandom(11);
    const inputs = [...criticalFloats(format)].filter(
      (x) => x >= Math.max(info.minNormal, 2 ** -126) && x < info.max,
    );
    const draws = 400;
    const measure = (value: number): number => (format.coding.kind === "ladder" ? Math.log2(value) : value);
    let deviation = 0;
    let variance = 0;
    for (let i = 0; i < 200; i++) {
      const x = inputs[random() % inputs.length];
      const low = format.decode(format.encode(x, "stochastic", 0));
      const high = format.decode(format.encode(x, "stochastic", 0xffffffff));
      if (low === high) continue;
      const share = (measure(x) - measure(low)) / (measure(high) - measure(low));
      for (let draw = 0; draw < draws; draw++) {
        const code = format.encode(x, "stochastic", random());
        const value = format.decode(code);
        if (value !== low && value !== high) expect.fail(`${x} went to ${value}, not to ${low} or ${high}`);
        deviation += (value === high ? 1 : 0) - share;
      }
      variance += draws * share * (1 - share);
    }
    expect(Math.abs(deviation)).toBeLessThan(4 * Math.sqrt(variance) + 1e-9);
  });
});
