import { describe, expect, it } from "vitest";
import { randomBits, roundingBits, uniformFloat, weylPhase } from "./random-bits.ts";
import { streamKey } from "./stream.ts";

const COUNT = 1 << 16;

function stream(step: number): Uint32Array {
  const [key0, key1] = streamKey(1, "w", step, "test");
  return Uint32Array.from({ length: COUNT }, (_, i) => randomBits(i, key0, key1));
}

/** χ² of counts that should all be equal, as standard deviations from its mean. */
function chiSquareScore(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  const chiSquare = Array.from(counts).reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  return (chiSquare - (counts.length - 1)) / Math.sqrt(2 * (counts.length - 1));
}

/** Pearson's correlation of two streams as uniforms, times √n: a standard normal when they are independent. */
function correlationScore(a: Uint32Array, b: Uint32Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += (uniformFloat(a[i]) - 0.5) * (uniformFloat(b[i]) - 0.5);
  return (sum * 12) / Math.sqrt(b.length);
}

describe("randomBits", () => {
  it("has uniform bytes in every position", () => {
    for (let step = 0; step < 8; step++) {
      const draws = stream(step);
      for (const shift of [0, 8, 16, 24]) {
        const counts = new Uint32Array(256);
        for (const x of draws) counts[(x >>> shift) & 255]++;
        expect(Math.abs(chiSquareScore(counts, COUNT))).toBeLessThan(4.5);
      }
    }
  });

  it("has uniform pairs of neighbours", () => {
    const draws = stream(1);
    const counts = new Uint32Array(1024);
    for (let i = 1; i < COUNT; i++) counts[(draws[i - 1] >>> 27) * 32 + (draws[i] >>> 27)]++;
    expect(Math.abs(chiSquareScore(counts, COUNT - 1))).toBeLessThan(4.5);
  });

  it("is not correlated along the index, nor from step to step", () => {
    const draws = stream(1);
    for (const lag of [1, 2, 3, 4, 8, 64, 128, 1024, 4096])
      expect(Math.abs(correlationScore(draws, draws.subarray(lag)))).toBeLessThan(4.5);
    for (let step = 1; step < 20; step++)
      expect(Math.abs(correlationScore(stream(step), stream(step + 1)))).toBeLessThan(4.5);
  });

  it("separates streams whose first keys overlap, by the second", () => {
    const draws = stream(1);
    const [key0] = streamKey(1, "w", 1, "test");
    for (let shift = 0; shift < 24; shift++) {
      const [, other] = streamKey(1, "w", 100 + shift, "test");
      const moved = draws.map((_, i) => randomBits(i, key0 + shift, other));
      expect(
        Math.abs(correlationScore(draws.subarray(shift), moved.subarray(0, COUNT - shift))),
      ).toBeLessThan(4.5);
    }
  });

  it("changes each output bit half the time when one bit of the index changes", () => {
    const [key0, key1] = streamKey(3, "w", 1, "test");
    const trials = 4000;
    for (let bit = 0; bit < 32; bit++) {
      const flips = new Uint32Array(32);
      for (let i = 0; i < trials; i++) {
        const index = Math.imul(i, 0x9e3779b1);
        const difference = randomBits(index, key0, key1) ^ randomBits(index ^ (1 << bit), key0, key1);
        for (let out = 0; out < 32; out++) flips[out] += (difference >>> out) & 1;
      }
      for (const flipped of flips) expect(Math.abs(flipped / trials - 0.5)).toBeLessThan(0.06);
    }
  });

  it("never repeats within a stream", () => {
    expect(new Set(stream(5)).size).toBe(COUNT);
  });
});

describe("roundingBits", () => {
  const roundings = (key: number): Uint32Array =>
    Uint32Array.from({ length: COUNT }, (_, i) => roundingBits(i, key));

  it("has uniform bytes in every position, and uniform pairs of neighbours", () => {
    for (let step = 0; step < 8; step++) {
      const draws = roundings(streamKey(1, "w", step, "test")[0]);
      for (const shift of [0, 8, 16, 24]) {
        const [counts, pairs] = [new Uint32Array(256), new Uint32Array(1024)];
        for (const x of draws) counts[(x >>> shift) & 255]++;
        for (let i = 1; i < COUNT; i++)
          pairs[((draws[i - 1] >>> shift) & 31) * 32 + ((draws[i] >>> shift) & 31)]++;
        expect(Math.abs(chiSquareScore(counts, COUNT))).toBeLessThan(4.5);
        expect(Math.abs(chiSquareScore(pairs, COUNT - 1))).toBeLessThan(4.5);
      }
    }
  });

  it("is not correlated along the index, nor from key to key, and never repeats", () => {
    const draws = roundings(streamKey(1, "w", 1, "test")[0]);
    for (const lag of [1, 2, 3, 4, 8, 64, 100, 128, 1000, 1024, 2000, 4096])
      expect(Math.abs(correlationScore(draws, draws.subarray(lag)))).toBeLessThan(4.5);
    for (let step = 2; step < 20; step++)
      expect(Math.abs(correlationScore(draws, roundings(streamKey(1, "w", step, "test")[0])))).toBeLessThan(
        4.5,
      );
    expect(new Set(draws).size).toBe(COUNT);
  });
});

describe("uniformFloat", () => {
  it("fills [0, 1) with float32 numbers", () => {
    expect([uniformFloat(0), uniformFloat(255), uniformFloat(0x80000000)]).toEqual([0, 0, 0.5]);
    expect(uniformFloat(0xffffffff)).toBe(Math.fround(1 - 2 ** -24));
  });
});

describe("weylPhase", () => {
  it("spreads the steps of an element evenly: sums of roundings stay within a few of the exact sum", () => {
    for (const start of [0, 0x12345678, 0xdeadbeef]) {
      for (const f of [0.03, 0.2, 0.5, 0.71]) {
        let up = 0;
        for (let t = 1; t <= 2000; t++) {
          if (((start + weylPhase(t)) >>> 0) / 2 ** 32 < f) up++;
          expect(Math.abs(up - t * f)).toBeLessThan(4); // independent draws: a deviation of 20 at f = 0.2
        }
      }
    }
  });

  it("goes on past 2³² steps", () => {
    expect(weylPhase(2 ** 32 + 5)).toBe(weylPhase(5));
    expect(weylPhase(0)).toBe(0);
  });
});
