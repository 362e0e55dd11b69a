import { describe, expect, it } from "vitest";
import { afterValidation, freshPlateau, type PlateauState } from "./plateau.ts";
import { learningRateFactor, scheduleNames, type Schedule } from "./schedules.ts";

const schedule = (change: Partial<Schedule>): Schedule => ({
  name: "cosine",
  warmup: 0.1,
  final: 0.2,
  ...change,
});
const course = (change: Partial<Schedule>, total = 100): number[] =>
  Array.from({ length: total }, (_, i) => learningRateFactor(schedule(change), i + 1, total));

describe("schedules", () => {
  it.each(scheduleNames.filter((name) => name !== "one-cycle"))("%s rises linearly to 1", (name) => {
    const factors = course({ name });
    for (let t = 1; t <= 10; t++) expect(factors[t - 1]).toBeCloseTo(t / 10, 12);
    expect(factors.every((x) => x > 0 && x <= 1)).toBe(true);
  });

  it("end where they should, and are halfway in the middle", () => {
    for (const name of ["linear", "cosine", "one-cycle"] as const) {
      const factors = course({ name });
      expect(factors[99]).toBeCloseTo(0.2, 12);
      expect(factors[54]).toBeCloseTo(0.6, 12);
      expect(factors.slice(9).every((x, i, all) => i === 0 || x < all[i - 1])).toBe(true);
    }
    expect(course({ name: "constant" })[99]).toBe(1);
  });

  it("one cycle starts at a 25th of its peak", () => {
    const factors = course({ name: "one-cycle", warmup: 0.3, final: 0 }, 1000);
    expect(factors[0]).toBeCloseTo(0.04, 4);
    expect(factors[149]).toBeCloseTo(0.52, 12);
    expect(factors[299]).toBe(1);
    expect(factors[999]).toBeCloseTo(0, 12);
  });

  it("steps fall at equal distances, those of integer Madam's CIFAR runs by 4 in thirds", () => {
    const factors = course({ name: "step", warmup: 0, decay: 0.25 }, 300);
    expect(factors[0]).toBe(1);
    expect([factors[99], factors[100]]).toEqual([1, 0.25]);
    expect([factors[199], factors[200], factors[299]]).toEqual([0.25, 0.0625, 0.0625]);
  });

  it("steps come where the product of interval and steps means, and not after the last whole one", () => {
    const seventh = course({ name: "step", warmup: 0, interval: 0.07 });
    expect([seventh[6], seventh[7]]).toEqual([1, 0.1]);
    const thirds = course({ name: "step", warmup: 0, decay: 0.5 });
    expect([thirds[33], thirds[34], thirds[67], thirds[68], thirds[99]]).toEqual([1, 0.5, 0.5, 0.25, 0.25]);
  });

  it("refuses what is out of range", () => {
    expect(() => learningRateFactor(schedule({ warmup: 2 }), 1, 10)).toThrow(/warmup is 2, wants 0 to 1/);
    expect(() => learningRateFactor(schedule({ interval: 0 }), 1, 10)).toThrow(/interval is 0/);
    expect(() => learningRateFactor(schedule({ decay: 0 }), 1, 10)).toThrow(/decay is 0/);
  });
});

describe("the plateau", () => {
  const rule = schedule({ name: "plateau", warmup: 0, decay: 0.5, patience: 1, threshold: 0.1 });
  const after = (losses: readonly number[]): PlateauState =>
    losses.reduce((state, loss) => afterValidation(state, loss, rule), freshPlateau);

  it("falls once the loss has waited longer than its patience, and waits again", () => {
    expect(after([2, 1.5, 1])).toEqual({ best: 1, waited: 0, factor: 1 });
    expect(after([1, 0.95])).toEqual({ best: 1, waited: 1, factor: 1 });
    expect(after([1, 0.95, 2])).toEqual({ best: 1, waited: 0, factor: 0.5 });
    expect(after([1, 1, 1, 1, 1]).factor).toBe(0.25);
    expect(after([1, 1, 0.8, 0.8]).factor).toBe(1);
  });

  it("counts negative losses by their size", () => {
    expect(after([-1, -1.05])).toMatchObject({ waited: 1 });
    expect(after([-1, -1.2])).toMatchObject({ best: -1.2, waited: 0 });
  });

  it("is the factor of the learning rate, after the warm-up", () => {
    const state = after([1, 1, 1]);
    expect(learningRateFactor(rule, 50, 100, state)).toBe(0.5);
    expect(learningRateFactor({ ...rule, warmup: 0.5 }, 25, 100, state)).toBe(0.5);
  });
});
