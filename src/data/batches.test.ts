import { describe, expect, it } from "vitest";
import { countWindows, sequentialBatches, trainingBatch, windowStarts } from "./batches.ts";
import { DataError } from "./data-error.ts";

const text = Uint8Array.from({ length: 256 }, (_, index) => index);

describe("trainingBatch", () => {
  it("holds windows of the text and what follows each symbol", () => {
    const { inputs, targets } = trainingBatch(text, { seed: 1, step: 5, rows: 4, context: 8 });
    expect(inputs).toHaveLength(32);
    for (let row = 0; row < 4; row++) {
      const start = inputs[row * 8];
      for (let place = 0; place < 8; place++) {
        expect(inputs[row * 8 + place]).toBe(start + place);
        expect(targets[row * 8 + place]).toBe(start + place + 1);
      }
    }
  });

  it("is a function of seed and step, and a row does not depend on how many there are", () => {
    const options = { seed: 7, step: 3, rows: 4, context: 8 };
    const starts = windowStarts(10_000, options);
    expect(windowStarts(10_000, options)).toEqual(starts);
    expect(windowStarts(10_000, { ...options, rows: 2 })).toEqual(starts.slice(0, 2));
    expect(windowStarts(10_000, { ...options, step: 4 })).not.toEqual(starts);
    expect(windowStarts(10_000, { ...options, seed: 8 })).not.toEqual(starts);
    expect(windowStarts(10_000, { ...options, seed: 7 + 2 ** 32 })).not.toEqual(starts);
  });

  it("draws every place of the text, the first and the last too, evenly", () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (const start of windowStarts(18, { seed: 1, step: 1, rows: 10_000, context: 8 })) counts[start]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150); // five standard deviations
  });

  it("takes the one window of a text that holds one, and refuses a shorter text", () => {
    expect(windowStarts(9, { seed: 1, step: 1, rows: 2, context: 8 })).toEqual([0, 0]);
    expect(() => windowStarts(8, { seed: 1, step: 1, rows: 2, context: 8 })).toThrow(DataError);
  });
});

describe("sequentialBatches", () => {
  it("walks the text once, without overlap, the last batch with what is left", () => {
    const batches = [...sequentialBatches(text.subarray(0, 42), { rows: 2, context: 8 })];
    expect(batches.map((batch) => batch.rows)).toEqual([2, 2, 1]);
    expect(batches.flatMap((batch) => [...batch.inputs])).toEqual([...text.subarray(0, 40)]);
    expect(batches.flatMap((batch) => [...batch.targets])).toEqual([...text.subarray(1, 41)]);
    expect([...sequentialBatches(text, { rows: 2, context: 8, limit: 3 })]).toHaveLength(3);
  });

  it("counts only windows that have a symbol after them", () => {
    expect([0, 8, 9, 16, 17].map((length) => countWindows(length, 8))).toEqual([0, 0, 1, 1, 2]);
  });
});
