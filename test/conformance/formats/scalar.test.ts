/** What every scalar format of the registry owes, checked code by code. */
import { describe, expect, it } from "vitest";
import { roundings, type ScalarFormat } from "../../../src/formats/format.ts";
import { criticalFloats, magnitudesOf, sampleFormats, testRandom } from "./sample.ts";

const codesOf = ({ bits }: ScalarFormat): number[] => Array.from({ length: 2 ** bits }, (_, code) => code);
const isNegative = (x: number): boolean => x < 0 || Object.is(x, -0);
const isLog = ({ coding }: ScalarFormat): boolean =>
  coding.kind === "ladder" || coding.kind === "natural-ladder";

/** Whether -x goes to the negative of where x goes; tables need not be symmetric, nor have a zero in the middle. */
const isOdd = ({ name }: ScalarFormat): boolean => !["e8m0", "ragged", "sign"].includes(name);

/** Whether encoders give this code: one of its value, and float32 tells the value from the next. */
function isGiven({ coding, info, bits }: ScalarFormat, code: number, value: number): boolean {
  if (Number.isNaN(value)) return false;
  if (coding.kind === "float" && coding.overflow === "saturate") return Number.isFinite(value);
  if (coding.kind === "integer") return code !== 2 ** (bits - 1);
  if (coding.kind === "table") return code === coding.values.findIndex((own) => Object.is(own, value));
  if (coding.kind !== "ladder" || Math.abs(value) >= 2 ** -126) return true;
  return value === 0 && code % 2 ** (info.signBit ?? 31) === 0;
}

/** Where x lies, in the format's measure; the ladder's zero counts as the rung below the lowest. */
function measure(format: ScalarFormat, x: number): number {
  const { coding, info } = format;
  if (coding.kind === "ladder" && x === 0) return Math.log2(info.minPositive) - 1 / coding.rungsPerOctave;
  return isLog(format) ? Math.log2(x) : x;
}

/** The neighbours of x > 0 among the magnitudes; the same twice outside of them. */
function neighbours(magnitudes: readonly number[], x: number): [number, number] {
  let [low, high] = [0, magnitudes.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (Math.fround(magnitudes[middle]) <= x) low = middle;
    else high = middle;
  }
  if (Math.fround(magnitudes[low]) >= x) return [magnitudes[low], magnitudes[low]];
  return [magnitudes[low], magnitudes[Math.min(low + 1, magnitudes.length - 1)]];
}

describe.each(sampleFormats.map((format) => [format.name, format] as const))("%s", (_, format) => {
  const { info, coding } = format;
  const magnitudes = magnitudesOf(format);
  const inside = [...criticalFloats(format)].filter(
    (x) => x >= Math.max(info.minPositive, isLog(format) ? 2 ** -126 : 0) && x <= info.max,
  );
  const decoded = (x: number, rounding: (typeof roundings)[number], u = 0): number =>
    format.decode(format.encode(x, rounding, u));

  it("encodes the value of every code back to that code, by any rounding and any bits", () => {
    const wrong = codesOf(format).filter((code) => {
      const value = format.decode(code);
      if (!isGiven(format, code, value)) return false;
      return roundings.some((rounding) =>
        [0, 1, 0x7fffffff, 0xffffffff].some((u) => format.encode(value, rounding, u) !== code),
      );
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  it.skipIf(coding.kind === "table")("is monotone in its codes", () => {
    const values = codesOf(format).map(format.decode).filter((x) => !Number.isNaN(x) && !isNegative(x)); // prettier-ignore
    const falls = values.findIndex(
      (x, i) => i > 0 && (x < values[i - 1] || (x === values[i - 1] && x !== 0)),
    );
    expect(falls).toBe(-1);
  });

  it("is monotone in its inputs, by any rounding", () => {
    const inputs = criticalFloats(format).filter((x) => !Number.isNaN(x)).toSorted(); // prettier-ignore
    for (const rounding of roundings) {
      if (rounding === "stochastic" && format.name === "sign") continue; // starts from another value on each side of 0
      let before = -Infinity;
      for (const x of inputs) {
        const value = decoded(x, rounding, 0x5a5a5a5a);
        if (value < before) expect.fail(`${x} by ${rounding} gives ${value}, less than ${before} before`);
        before = value;
      }
    }
  });

  it("rounds to the nearest value in its measure, ties to even codes or away from zero, or down", () => {
    for (const x of inside) {
      const [low, high] = neighbours(magnitudes, x);
      if (decoded(x, "floor") !== low) expect.fail(`⌊${x}⌋ is ${decoded(x, "floor")}, not ${low}`);
      const excess = 2 * measure(format, x) - measure(format, low) - measure(format, high);
      if (isLog(format) && Math.abs(excess) < 2 ** -40) continue;
      const even = excess > 0 || (excess === 0 && format.encode(low, "floor", 0) % 2 === 1) ? high : low;
      const away = excess >= 0 ? high : low;
      if (decoded(x, "nearest-away") !== away)
        expect.fail(`${x} is ${decoded(x, "nearest-away")}, not ${away}`);
      if (decoded(x, "nearest-even") !== even)
        expect.fail(`${x} is ${decoded(x, "nearest-even")}, not ${even}`);
    }
  });

  it.runIf(isOdd(format))("is odd when signed, and sends negative numbers to zero when not", () => {
    for (const x of criticalFloats(format)) {
      if (Number.isNaN(x)) continue;
      for (const rounding of roundings) {
        const positive = decoded(Math.abs(x), rounding, 0x12345678);
        const expected = info.signBit === null ? 0 : -positive;
        const got = decoded(-Math.abs(x), rounding, 0x12345678);
        if (got !== expected) expect.fail(`-|${x}| by ${rounding} is ${got}, not ${expected}`);
      }
    }
  });

  it("saturates or overflows at the top, keeps zero and does not invent numbers for NaN", () => {
    const top = coding.kind === "float" && coding.overflow === "infinity" ? Infinity : info.max;
    for (const rounding of roundings) {
      const inf = decoded(Infinity, rounding, 0xffffffff);
      expect(inf).toBe(coding.kind === "table" && info.hasInf ? Infinity : top);
      const large = decoded(3.4028234663852886e38, rounding, coding.kind === "float" ? 0xffffffff : 0);
      expect(large).toBe(rounding === "floor" ? info.max : top);
      const ofNaN = decoded(NaN, rounding, 0xffffffff);
      if (info.hasNaN) expect(ofNaN).toBeNaN();
      else expect(Math.abs(ofNaN)).toBe(info.zeroCode === null ? info.minPositive : 0);
      if (info.zeroCode !== null) expect(format.encode(0, rounding, 0xffffffff)).toBe(info.zeroCode);
      else expect(Math.abs(decoded(0, rounding, 0xffffffff))).toBe(info.minPositive);
    }
    const keepsSign = info.signBit !== null && coding.kind !== "integer" && info.zeroCode !== null;
    if (info.zeroCode !== null) expect(Object.is(decoded(-0, "nearest-even"), keepsSign ? -0 : 0)).toBe(true);
  });

  it("rounds stochastically to the neighbours, right on average in its measure", () => {
    const random = testRandom(11);
    const values = new Set(magnitudes);
    const inputs = inside.filter((x) => !values.has(x));
    let deviation = 0;
    let variance = 0;
    for (let i = 0; i < 200; i++) {
      const x = inputs[random() % inputs.length];
      const [low, high] = neighbours(magnitudes, x);
      if (low === high) continue;
      const share =
        (measure(format, x) - measure(format, low)) / (measure(format, high) - measure(format, low));
      for (let draw = 0; draw < 400; draw++) {
        const value = decoded(x, "stochastic", random());
        if (value !== low && value !== high) expect.fail(`${x} went to ${value}, not to ${low} or ${high}`);
        deviation += (value === high ? 1 : 0) - share;
      }
      variance += 400 * share * (1 - share);
    }
    expect(Math.abs(deviation)).toBeLessThan(4 * Math.sqrt(variance) + 0.05);
  });

  const reachesDown = info.zeroCode !== null && Math.fround(info.minPositive) === info.minPositive;
  it.runIf(reachesDown && coding.kind !== "ladder")(
    "sends what is below the smallest value to zero or to it, right on average",
    () => {
      const random = testRandom(13);
      for (const share of [0.01, 0.3, 0.5, 0.9]) {
        const x = Math.fround(share * info.minPositive);
        const exact = x / info.minPositive;
        let ups = 0;
        for (let draw = 0; draw < 4000; draw++) {
          const value = decoded(x, "stochastic", random());
          if (value === info.minPositive) ups++;
          else if (value !== 0) expect.fail(`${x} went to ${value}`);
        }
        expect(Math.abs(ups - 4000 * exact)).toBeLessThan(4.5 * Math.sqrt(4000 * exact * (1 - exact)) + 1);
      }
    },
  );
});
