/** 200 steps on recorded gradients equal the rules of `rules.ts`: floats within 1e-6, codes exactly. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { format } from "../../../src/formats/index.ts";
import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import { normal } from "../../../src/random/normal.ts";
import { float32, prepare } from "./backends.ts";
import { fromTie, halfEven, rules, starts, type Cell, type Setting } from "./rules.ts";

const STEPS = 200;
const SIZE = 24;
const start = Array.from({ length: SIZE }, (_, i) => Math.fround(normal([5, 6], i)));
/** Steps this near to a rounding or to a change of sign are recorded with another gradient. */
const MARGIN = 1e-4;

const drawn = (t: number, i: number, attempt: number): number =>
  Math.fround(normal([t, 77 + attempt], i) * 2 ** ((i % 7) - 3));
const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, y) => sum + y * y, 0));

/** Codes of a signed ladder as magnitude fields above their lowest rung. */
interface Ladder {
  readonly rung: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Runs a rule over its own gradients and writes down what it was given. */
function record(
  name: string,
  options: Setting,
  top: number,
  codes: readonly number[] | null,
  ladder: Ladder | null,
) {
  let cells: Cell[] = start.map((w) => ({ w: starts[name]?.(w, top, options) ?? w, m: 0, v: 0 }));
  const field = codes ? codes.map((code) => code & (ladder?.highest ?? 0)) : [];
  const gradients: number[][] = [];
  for (let t = 1; t <= STEPS; t++) {
    const g: number[] = [];
    const weightNorm = norm(cells.map(({ w }) => w));
    const nominal = cells.map((_, i) => drawn(t, i, 0));
    const gradientNorm = norm(nominal);
    cells = cells.map((cell, i) => {
      for (let attempt = 0; ; attempt++) {
        const given = drawn(t, i, attempt);
        const step = { t, g: given, top, weightNorm, gradientNorm, rung: ladder?.rung ?? null };
        const next = rules[name](cell, step, options);
        if (next.margin < MARGIN) continue;
        g.push(given);
        if (ladder && next.rungs !== undefined)
          field[i] = Math.max(ladder.lowest, Math.min(ladder.highest, field[i] + next.rungs));
        return next;
      }
    });
    gradients.push(g);
  }
  return { gradients, weights: cells.map(({ w }) => w), field };
}

const cases: readonly (readonly [name: string, options: Setting])[] = [
  ["sgd", { lr: 0.01, momentum: 0 }],
  ["sgd", { lr: 0.003, dampening: 0.3, weightDecay: 0.02 }],
  ["sgd", { lr: 0.003, nesterov: "on" }],
  ["adam", { lr: 0.003, weightDecay: 0.02 }],
  ["adamw", { lr: 0.003, weightDecay: 0.1 }],
  ["rung", { weightDecay: 0.1 }],
  ["signsgd", { lr: 0.003, weightDecay: 0.1 }],
  ["signsgd", { lr: 0.003, momentum: 0.9 }],
  ["lion", { lr: 0.002, weightDecay: 0.1 }],
  ["fromage", { lr: 0.01 }],
  ["madam", {}],
  ["madam", { largestStep: 0.08, biasCorrection: "off" }],
  ["madam", { momentum: 0.9, lr: 0.02, scale: 2 }],
  ["lns-madam", {}],
  ["lns-madam", { weightDecay: 0.05 }],
  ["lns-madam", { roundGradient: "never", momentum: 0.8 }],
  ["integer-madam", { init: "weights" }],
  ["integer-madam", { init: "weights", levels: 256, base: 0.01, lr: 0.02 }],
  ["integer-madam", { init: "weights", largestStep: 0.08, biasCorrection: "off" }],
  ["integer-madam", { init: "weights", lr: 0.0005, leastFactor: 4, largestStep: 0.005 }],
  ["lmd", { direction: "normalised", regulariser: "kl", strength: 0.5, scale: 16, deviation: 0 }],
  [
    "lmd",
    {
      direction: "normalised",
      regulariser: "none",
      floor: 0.3,
      floorUnit: "rms",
      scale: 4,
      lr: 0.02,
      deviation: 0,
    },
  ],
  ["lmd", { direction: "lion", regulariser: "decay", strength: 0.3, scale: 16, deviation: 0 }],
  ["lmd", { direction: "sign", regulariser: "kl", strength: 0.1, scale: 16, deviation: 0.1 }],
];

const multiplicative = ["madam", "lns-madam", "integer-madam"];

const onLadders: readonly (readonly [name: string, ladder: string, options: Setting])[] = [
  ["madam", "lns8-g16", { lr: 0.1 }],
  ["madam", "lns10-eta0.005", { lr: 0.02, momentum: 0.9, largestStep: 0.08, biasCorrection: "off" }],
  ["lns-madam", "lns8-g16", { lr: 0.1 }],
  ["lns-madam", "lns8-g16", { lr: 0.1, weightDecay: 0.05 }],
  ["integer-madam", "lns12-eta0.001", { init: "weights" }],
  ["integer-madam", "lns8-eta0.01", { init: "weights", lr: 0.02 }],
  ["integer-madam", "lns12-eta0.001", { init: "weights", largestStep: 0.08, biasCorrection: "off" }],
  ["integer-madam", "lns8-g16", { init: "weights", lr: 0.05 }],
];

/** Additive rules, whose codes are rounded values; what fromage does to one weight depends on all. */
const onGrids: readonly (readonly [name: string, options: Setting])[] = [
  ["sgd", { lr: 0.01, weightDecay: 0.02 }],
  ["adam", { lr: 0.05 }],
  ["adamw", { lr: 0.05, weightDecay: 0.1 }],
  ["signsgd", { lr: 0.07, momentum: 0.9 }],
  ["lion", { lr: 0.07, weightDecay: 0.1 }],
];

/** Codes as places on a grid of even steps, or of even steps of the logarithm: the nearer of two places is taken. */
interface Grid {
  readonly format: string;
  /** Of a magnitude over the largest, not rounded. */
  place(x: number): number;
  value(place: number): number;
  code(place: number, negative: boolean): number;
}

const MOST = 127;
const grids: readonly Grid[] = [
  {
    format: "int8",
    place: (x) => x * MOST,
    value: (place) => place / MOST,
    code: (place, negative) => (negative ? -place : place) & 255,
  },
  {
    format: "lns8-g16",
    place: (x) => Math.max(0, MOST + 16 * Math.log2(x)),
    value: (place) => (place === 0 ? 0 : 2 ** ((place - MOST) / 16)),
    code: (place, negative) => (negative ? MOST + 1 : 0) | place,
  },
];

/**
 * The reference computes in float64, where 1e-6 holds. On float32 every step rounds the weight once more: 200 half units
 * in the last place, 2⁻²⁴ each, are the bound there.
 */
const judged = [
  { name: "reference", tolerance: 1e-6, open: async () => createReferenceBackend() },
  { name: "wasm", tolerance: STEPS * 2 ** -24, open: () => createWasmBackend({ threads: 1 }) },
];

function ladderOf(name: string): Ladder {
  const { coding } = format(name);
  if (coding.kind === "ladder")
    return { rung: Math.LN2 / coding.rungsPerOctave, lowest: 1, highest: coding.rungs };
  if (coding.kind === "natural-ladder")
    return { rung: coding.step, lowest: 0, highest: 2 ** coding.magnitudeBits - 1 };
  throw new TypeError(name);
}

it("every optimiser of the registry is among the cases", () => {
  const covered = new Set([...cases, ...onLadders].map(([name]) => name));
  expect([...covered].toSorted()).toEqual(Object.keys(optimizers).toSorted());
});

describe.each(judged)("on $name", ({ open, tolerance }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  it.each(cases)("%s %j", async (name, options) => {
    const optimizer = (optimizers as Record<string, Optimizer>)[name];
    const bench = await prepare(backend, { optimizer, options, tensors: [{ shape: [4, 6], values: start }] });
    const top = Number(options.scale ?? 3) * Math.sqrt(norm(start) ** 2 / SIZE);
    const { gradients, weights } = record(name, options, top, null, null);
    for (const [i, g] of gradients.entries()) await bench.step([g], i + 1);
    const [values] = await bench.values();
    const least = multiplicative.includes(name) ? 0 : 1;
    weights.forEach((x, i) =>
      expect(Math.abs(values[i] - x)).toBeLessThan(tolerance * Math.max(least, Math.abs(x))),
    );
  });

  it.each(onLadders)("%s on %s %j: codes are equal", async (name, ladder, options) => {
    const optimizer = (optimizers as Record<string, Optimizer>)[name];
    const weight = { format: ladder, rounding: "nearest-even", scale: "tensor" } as const;
    const precision = { ...float32, weight };
    const tensors = [{ shape: [SIZE], values: start }];
    const bench = await prepare(backend, { optimizer, options, precision, tensors });
    const [first] = await bench.codes();
    const rungs = ladderOf(ladder);
    const { gradients, field } = record(name, options, Infinity, first, rungs);
    for (const [i, g] of gradients.entries()) await bench.step([g], i + 1);
    const [codes] = await bench.codes();
    expect(codes).toEqual(first.map((code, i) => (code & (rungs.highest + 1)) | field[i]));
    expect(codes).not.toEqual(first);
  });

  it.each(["normalised", "lion"])(
    "lmd, %s, with its parts on a ladder: codes are equal",
    async (direction) => {
      const [perOctave, highest, scale] = [32, 255, 16];
      const options = {
        direction,
        regulariser: "kl",
        strength: 0.3,
        deviation: 0,
        lr: 0.05,
        floor: 0.3,
        scale,
      };
      const weight = { format: "ulns8-g32", rounding: "nearest-even", scale: "tensor" } as const;
      const tensors = [{ shape: [SIZE], values: start }];
      const precision = { ...float32, weight };
      const bench = await prepare(backend, { optimizer: optimizers.lmd, options, precision, tensors });
      const fields = ["w0.plus", "w0.minus"];
      const codesOf = async (): Promise<number[][]> => {
        const state = await bench.state();
        return fields.map((field) => state[field]);
      };
      const first = await codesOf();
      const rms = norm(start) / Math.sqrt(SIZE);
      const valueOf = (k: number): number => scale * (rms + 0.3) * 2 ** ((k - highest) / perOctave);
      let cells: Cell[] = start.map((w) => ({ w, m: 0, v: 0 }));
      const rungs = start.map((_, i) => first.map((codes) => codes[i]));
      for (let t = 1; t <= STEPS; t++) {
        const g: number[] = [];
        cells = cells.map((cell, i) => {
          const [p, q] = rungs[i].map(valueOf);
          for (let attempt = 0; ; attempt++) {
            const given = drawn(t, i, attempt);
            const step = { t, g: given, top: scale * rms, weightNorm: 0, gradientNorm: 0, rung: null };
            const next = rules.lmd({ ...cell, parts: [p, q] }, step, options);
            const [up, down] = next.parts ?? [p, q];
            const moves = [up / p, down / q].map((ratio) => perOctave * Math.log2(ratio));
            if (Math.min(next.margin, ...moves.map(fromTie)) < MARGIN) continue;
            g.push(given);
            rungs[i] = rungs[i].map((k, part) => Math.max(1, Math.min(highest, k + halfEven(moves[part]))));
            return next;
          }
        });
        await bench.step([g], t);
      }
      const found = await codesOf();
      expect(found).toEqual([0, 1].map((part) => rungs.map((both) => both[part])));
      expect(found).not.toEqual(first);
    },
  );

  describe.each(grids)("on $format", (grid) => {
    it.each(onGrids)("%s %j: codes are equal", async (name, options) => {
      const optimizer = (optimizers as Record<string, Optimizer>)[name];
      const top = 4;
      const weight = { format: grid.format, rounding: "nearest-even", scale: top } as const;
      const tensors = [{ shape: [SIZE], values: start }];
      const bench = await prepare(backend, {
        optimizer,
        options,
        precision: { ...float32, weight },
        tensors,
      });
      const first = await bench.codes();
      const placeOf = (w: number): number => Math.min(MOST, grid.place(Math.abs(w) / top));
      const negative = (w: number): boolean => w < 0 || Object.is(w, -0);
      let cells: Cell[] = (await bench.values())[0].map((w) => ({ w, m: 0, v: 0 }));
      for (let t = 1; t <= STEPS; t++) {
        const weightNorm = norm(cells.map(({ w }) => w));
        const gradientNorm = norm(cells.map((_, i) => drawn(t, i, 0)));
        const g: number[] = [];
        cells = cells.map((cell, i) => {
          for (let attempt = 0; ; attempt++) {
            const given = drawn(t, i, attempt);
            const next = rules[name](
              cell,
              { t, g: given, top, weightNorm, gradientNorm, rung: null },
              options,
            );
            const place = placeOf(next.w);
            if (Math.min(next.margin, fromTie(place)) < MARGIN) continue;
            g.push(given);
            const value = top * grid.value(halfEven(place));
            return { ...next, w: negative(next.w) ? -value : value };
          }
        });
        await bench.step([g], t);
      }
      const codes = cells.map(({ w }) => grid.code(Math.round(placeOf(w)), negative(w)));
      expect((await bench.codes())[0]).toEqual(codes);
      expect([codes]).not.toEqual(first);
    });
  });
});
