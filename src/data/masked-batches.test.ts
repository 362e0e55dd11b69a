import { describe, expect, it } from "vitest";
import {
  hiddenIn,
  maskedBatch,
  type MaskedBatch,
  type MaskedPlan,
  sequentialMasked,
} from "./masked-batches.ts";
import { specialSymbols } from "./special-symbols.ts";

const text = Uint8Array.from({ length: 5000 }, (_, i) => (i * i) % 50);
const symbols = specialSymbols(50);
const plan: MaskedPlan = { seed: 3, rows: 16, context: 42, symbols };

/** The sequences with the hidden symbols put back. */
function restored({ inputs, places, targets }: MaskedBatch): Int32Array {
  const whole = inputs.slice();
  places.forEach((place, i) => (whole[place] = targets[i]));
  return whole;
}

describe("a training batch of hidden symbols", () => {
  it("is windows of the text between a start and an end", () => {
    const batch = maskedBatch(text, 1, plan);
    const whole = restored(batch);
    const joined = text.join(",");
    for (let row = 0; row < 16; row++) {
      const sequence = whole.subarray(row * 42, (row + 1) * 42);
      expect([sequence[0], sequence[41]]).toEqual([symbols.start, symbols.end]);
      expect(joined).toContain(sequence.subarray(1, 41).join(","));
    }
  });

  it("hides 15 % of each window, no place twice, and changes nothing else", () => {
    const { inputs, places, targets } = maskedBatch(text, 1, plan);
    expect(hiddenIn(40)).toBe(6);
    expect(places).toHaveLength(16 * 6);
    expect(new Set(places).size).toBe(places.length);
    for (let row = 0; row < 16; row++)
      for (const place of places.subarray(6 * row, 6 * row + 6)) {
        expect(place % 42).toBeGreaterThan(0);
        expect(place % 42).toBeLessThan(41);
        expect(Math.floor(place / 42)).toBe(row);
      }
    const hidden = new Set(places);
    expect(inputs.every((symbol, i) => symbol !== symbols.mask || hidden.has(i))).toBe(true);
    expect(targets.every((target) => target < 50)).toBe(true);
  });

  it("puts the mask on 80 %, another symbol on 10 %, and leaves 10 %", () => {
    const counts = { mask: 0, same: 0, other: 0 };
    for (let step = 1; step <= 100; step++) {
      const { inputs, places, targets } = maskedBatch(text, step, plan);
      places.forEach((place, i) => {
        const symbol = inputs[place];
        const fate = symbol === symbols.mask ? "mask" : symbol === targets[i] ? "same" : "other";
        counts[fate]++;
      });
    }
    // 9,600 draws: six deviations are 2.4 %, and a random symbol is the same one time in fifty.
    expect(Math.abs(counts.mask / 9600 - 0.8)).toBeLessThan(0.025);
    expect(Math.abs(counts.same / 9600 - 0.102)).toBeLessThan(0.02);
    expect(Math.abs(counts.other / 9600 - 0.098)).toBeLessThan(0.02);
  });

  it("follows from seed and step alone", () => {
    const batch = maskedBatch(text, 7, plan);
    maskedBatch(text, 8, plan);
    expect(maskedBatch(text, 7, plan)).toEqual(batch);
    expect(maskedBatch(text, 8, plan).places).not.toEqual(batch.places);
    expect(maskedBatch(text, 7, { ...plan, seed: 4 }).places).not.toEqual(batch.places);
  });
});

describe("hidden symbols of validation", () => {
  const all = (rows: number, limit?: number) => [
    ...sequentialMasked(text, { ...plan, rows, ...(limit === undefined ? {} : { limit }) }),
  ];

  it("go through the text in order, the same every time and whatever the batch", () => {
    const batches = all(16);
    expect(batches.map(({ rows }) => rows)).toEqual([16, 16, 16, 16, 16, 16, 16, 13]);
    const body = batches.flatMap((batch) => Array.from(restored(batch))).filter((symbol) => symbol < 50);
    expect(body).toEqual([...text]);
    expect(all(16)).toEqual(batches);
    const flat = (list: readonly MaskedBatch[]) => list.flatMap(({ inputs }) => [...inputs]);
    expect(flat(all(5))).toEqual(flat(batches));
  });

  it("end at a limit, and with the last whole window", () => {
    expect(all(16, 2)).toEqual(all(16).slice(0, 2));
    expect([...sequentialMasked(text.subarray(0, 39), plan)]).toEqual([]);
  });
});
