/** Moments in 8 bits follow those in float32: they neither stall nor vanish. */
import { expect, it } from "vitest";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import type { TensorPrecision } from "../../../src/precision/policy.ts";
import { format } from "../../../src/formats/index.ts";
import { normal } from "../../../src/random/normal.ts";
import { float32, prepare, type Bench } from "./backends.ts";

const SIZE = 512;
const held = (name: string, rounding: TensorPrecision["rounding"]): TensorPrecision => ({
  format: name,
  rounding,
  scale: "tensor",
});
/** Falls a hundredfold in 300 steps, then jumps back. */
const gradientAt = (t: number): number[] =>
  Array.from({ length: SIZE }, (_, i) => normal([t, 5], i) * 10 ** (t <= 300 ? -t / 150 : 0) * 2 ** (i % 5));
const tensors = [{ shape: [SIZE], values: Array.from({ length: SIZE }, (_, i) => normal([6, 6], i)) }];

const decoded = (codes: readonly number[], name: string, scale: number): number[] =>
  codes.map((code) => format(name).decode(code) * scale);
const median = (x: readonly number[]): number => x.toSorted((a, b) => a - b)[x.length >> 1];

it("second moments: stochastic rounding follows, nearest stalls", async () => {
  const backend = await createWasmBackend({ threads: 1 });
  const make = (second: TensorPrecision | null): Promise<Bench> =>
    prepare(backend, {
      optimizer: optimizers.adamw,
      options: { lr: 1e-5 },
      precision: { ...float32, moment: { first: null, second } },
      tensors,
    });
  const exact = await make(null);
  const stochastic = await make(held("ulns8-g4", "stochastic"));
  const nearest = await make(held("ulns8-g4", "nearest-even"));
  for (let t = 1; t <= 400; t++) {
    for (const bench of [exact, stochastic, nearest]) await bench.step([gradientAt(t)], t);
    if (t !== 300 && t !== 400) continue;
    const v = (await exact.state())["w0.v"];
    const ratios = async (bench: Bench) =>
      decoded((await bench.state())["w0.v"], "ulns8-g4", 256).map((x, i) => Math.sqrt(x / v[i]));
    const followed = await ratios(stochastic);
    expect(Math.abs(Math.log2(median(followed)))).toBeLessThan(0.1);
    expect(Math.max(...followed)).toBeLessThan(2);
    expect(Math.min(...followed)).toBeGreaterThan(0.5);
    if (t === 300) expect(median(await ratios(nearest))).toBeGreaterThan(1.5);
  }
  await backend.close();
});

/**
 * A rounding up or down by one rung r has a deviation of at most r/2; decayed by β they add up to r/2 / √(1-β²). Half as
 * much again for what the sum was larger by before.
 */
const expectedError = (decay: number): number => (1.5 * (2 ** (1 / 8) - 1)) / 2 / Math.sqrt(1 - decay ** 2);

it.each([
  ["sgd", 0.9],
  ["lion", 0.99],
  ["signsgd", 0.9],
] as const)("the first moment of %s has a top that no value passes", async (name, decay) => {
  const backend = await createWasmBackend({ threads: 1 });
  const optimizer = (optimizers as Record<string, Optimizer>)[name];
  const make = (first: TensorPrecision | null): Promise<Bench> =>
    prepare(backend, {
      optimizer,
      options: { lr: 1e-5, ...(name === "lion" ? {} : { momentum: 0.9 }) },
      precision: { ...float32, moment: { first, second: null } },
      tensors,
    });
  const [exact, coded] = [await make(null), await make(held("lns8-g8", "stochastic"))];
  for (let t = 1; t <= 400; t++) {
    await exact.step([gradientAt(t)], t);
    await coded.step([gradientAt(t)], t);
    if (t !== 300 && t !== 400) continue;
    const m = (await exact.state())["w0.m"];
    const {
      "w0.m": codes,
      "w0.m.top": [top],
    } = await coded.state();
    expect(Math.max(...m.map(Math.abs))).toBeLessThanOrEqual(top);
    const error = decoded(codes, "lns8-g8", top).map((x, i) => x - m[i]);
    const norm = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, y) => sum + y * y, 0));
    expect(norm(error) / norm(m)).toBeLessThan(expectedError(decay));
  }
  await backend.close();
});
