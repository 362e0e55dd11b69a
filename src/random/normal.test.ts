import { expect, it } from "vitest";
import { fillNormal, normal } from "./normal.ts";
import { streamKey } from "./stream.ts";

it("draws the standard normal distribution", () => {
  const key = streamKey(1, "w", 0, "init");
  const draws = Array.from({ length: 40_000 }, (_, i) => normal(key, i));
  const moment = (power: number): number => draws.reduce((sum, x) => sum + x ** power, 0) / draws.length;
  expect(Math.abs(moment(1))).toBeLessThan(4 / 200);
  expect(Math.abs(moment(2) - 1)).toBeLessThan((4 * Math.SQRT2) / 200);
  expect(Math.abs(moment(3))).toBeLessThan((4 * Math.sqrt(15)) / 200);
  expect(Math.abs(moment(4) - 3)).toBeLessThan((4 * Math.sqrt(96)) / 200);
  const beyondTwo = draws.filter((x) => Math.abs(x) > 2).length / draws.length;
  expect(Math.abs(beyondTwo - 0.0455)).toBeLessThan(0.0042);
  const pairs = draws.reduce((sum, x, i) => sum + x * (draws[i + 1] ?? 0), 0) / draws.length;
  expect(Math.abs(pairs)).toBeLessThan(4 / 200);
});

it("reaches indices past 2^32 and tells them apart", () => {
  const key = streamKey(1, "w", 0, "init");
  const far = [0, 1, 2, 2 ** 33, 2 ** 33 + 1].map((i) => normal(key, i));
  expect(new Set(far).size).toBe(5);
  expect(far.every(Number.isFinite)).toBe(true);
});

it("fills arrays with the numbers of the stream, from any even index on", () => {
  const key = streamKey(1, "w", 0, "init");
  for (const [from, length] of [[0, 9], [8192, 8], [2 ** 33, 3]]) {
    const values = new Float32Array(length);
    fillNormal(values, from, key, 0.02);
    const wanted = Array.from({ length }, (_, i) => Math.fround(normal(key, from + i) * 0.02));
    expect([...values]).toEqual(wanted);
  }
}); // prettier-ignore
