/** LMD's noise: the sampled weights against float64, the statistics of the draws, and training on them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createWasmBackend } from "../../../src/kernels/wasm/index.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import { normal } from "../../../src/random/normal.ts";
import { randomBits } from "../../../src/random/random-bits.ts";
import { streamKey } from "../../../src/random/stream.ts";
import { readValues } from "../../../src/tensor/tensor.ts";
import { float32, prepare, type Bench } from "./backends.ts";
import { rules, type Cell } from "./rules.ts";

const { lmd } = optimizers;
const SEED = 1;

/** From the sum of a word's four bytes. */
function normalOf(word: number): number {
  const bytes = [0, 8, 16, 24].map((place) => (word >>> place) & 255);
  const x = (bytes.reduce((sum, byte) => sum + byte, 0) - 510) / 512;
  return x * (3.295968 + 0.7385483 * x * x);
}

/** The two normal numbers of a weight at a step. */
function noiseOf(t: number, sample: number, i: number): [number, number] {
  const [key0, key1] = streamKey(SEED, "w0", t, `weights of sample ${sample}`);
  const first = randomBits(i, key0, key1);
  const product = Math.imul(first, 0x7feb352d) >>> 0;
  return [normalOf(first), normalOf(product ^ (product >>> 15))];
}

async function drawn(bench: Bench, t: number, sample: number | null): Promise<number[]> {
  return bench.device.step(async () => {
    bench.group.materialise({ t, lrFactor: 1, sample });
    return Array.from(await readValues(bench.parameters[0].tensor), Number);
  });
}

describe.each([
  { name: "reference", tolerance: 1e-6, open: async () => createReferenceBackend() },
  { name: "wasm", tolerance: 4e-6, open: () => createWasmBackend({ threads: 1 }) },
])("on $name", ({ open, tolerance }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  const start = Array.from({ length: 16 }, (_, i) => Math.fround(normal([5, 6], i)));
  const rms = Math.sqrt(start.reduce((sum, w) => sum + w * w, 0) / start.length);

  it("draws w = p e^(σz) - q e^(σz′) from the step's bits, another at each step and sample", async () => {
    const options = { deviation: 0.3, floor: 0.5, floorUnit: "rms" };
    const bench = await prepare(backend, {
      optimizer: lmd,
      options,
      tensors: [{ shape: [16], values: start }],
    });
    const share = Math.exp(-0.045);
    for (const [t, sample] of [
      [1, 0],
      [1, 1],
      [7, 0],
    ]) {
      const found = await drawn(bench, t, sample);
      start.forEach((w, i) => {
        const [z, other] = noiseOf(t, sample, i);
        const p = (Math.max(w, 0) + 0.5 * rms) * share * Math.exp(0.3 * z);
        const q = (Math.max(-w, 0) + 0.5 * rms) * share * Math.exp(0.3 * other);
        expect(Math.abs(found[i] - (p - q))).toBeLessThan(tolerance * (p + q));
      });
    }
    const mean = await drawn(bench, 1, null);
    start.forEach((w, i) => expect(Math.abs(mean[i] - w)).toBeLessThan(tolerance * (Math.abs(w) + rms)));
  });

  it.each(["normalised", "lion"])("200 steps on gradients at the drawn weights, %s", async (direction) => {
    const options = {
      deviation: 0.1,
      direction,
      regulariser: "l2",
      floor: 0.5,
      strength: 0.02,
      scale: 16,
      lr: 0.01,
    };
    const bench = await prepare(backend, {
      optimizer: lmd,
      options,
      tensors: [{ shape: [16], values: start }],
    });
    const answer = (i: number): number => (i % 2 ? -1 : 1) * (1 + (i % 5) / 4);
    let cells: Cell[] = start.map((w) => ({ w, m: 0, v: 0 }));
    for (let t = 1; t <= 200; t++) {
      const g: number[] = [];
      cells = cells.map((cell, i) => {
        const share = Math.exp(-0.005);
        const floor = 0.5 * share;
        const { parts = [Math.max(cell.w, 0) * share + floor, Math.max(-cell.w, 0) * share + floor] } = cell;
        const [z, other] = noiseOf(t, 0, i);
        const w = parts[0] * Math.exp(0.1 * z) - parts[1] * Math.exp(0.1 * other);
        g.push(Math.fround((1 + (i % 3)) * (w - answer(i)) + Math.sin(t * (i + 1))));
        const step = { t, g: g[i], top: 16 * rms, weightNorm: 0, gradientNorm: 0, rung: null, drawn: w };
        return rules.lmd({ ...cell, parts }, step, options);
      });
      await bench.step([g], t);
    }
    const [found] = await bench.values();
    cells.forEach(({ w, parts: [p, q] = [0, 0] }, i) =>
      expect(Math.abs(found[i] - w)).toBeLessThan(10 * tolerance * (p + q)),
    );
  });
});

it("the sampled weights have the log-normal's mean and deviation", async () => {
  const backend = await createWasmBackend({ threads: 2 });
  const SIZE = 1 << 17;
  const values = new Float32Array(SIZE).fill(0.75);
  const deviation = 0.25;
  const options = { deviation, floor: 0.75, floorUnit: "one" };
  const bench = await prepare(backend, { optimizer: lmd, options, tensors: [{ shape: [SIZE], values }] });
  const w = await drawn(bench, 3, 0);
  const mean = w.reduce((sum, x) => sum + x, 0) / SIZE;
  const variance = w.reduce((sum, x) => sum + (x - mean) ** 2, 0) / SIZE;
  // Means of the parts are 1.5 and 0.75; Var = (e^(σ²) - 1) (E[p]² + E[q]²).
  const expected = Math.expm1(deviation ** 2) * (1.5 ** 2 + 0.75 ** 2);
  const error = Math.sqrt(expected / SIZE);
  expect(Math.abs(mean - 0.75)).toBeLessThan(4 * error);
  expect(Math.abs(variance / expected - 1)).toBeLessThan(0.02);
  const skew = w.reduce((sum, x) => sum + ((x - mean) / Math.sqrt(variance)) ** 3, 0) / SIZE;
  expect(skew).toBeGreaterThan(0.3); // to the side of the larger part
  await backend.close();
});

it("a weight of zero moves to either side, in tensors of zeros too", async () => {
  const backend = await createWasmBackend({ threads: 1 });
  const tensors = [{ shape: [4], values: [0, 0, 0, 0] }];
  const bench = await prepare(backend, { optimizer: lmd, options: {}, tensors });
  expect(bench.group.immovable).toEqual([]);
  for (let t = 1; t <= 20; t++) await bench.step([[1, -1, 2, -2]], t);
  const [values] = await bench.values();
  expect(values.map(Math.sign)).toEqual([-1, 1, -1, 1]);
  await backend.close();
});

it("a part that its format rounds to zero does no harm to the pull towards the prior", async () => {
  const backend = await createWasmBackend({ threads: 1 });
  const weight = { format: "int8", rounding: "nearest-even", scale: "tensor" } as const;
  const tensors = [{ shape: [4], values: [1, -1, 0.5, 0] }];
  const options = { regulariser: "kl", floor: 0.01, strength: 1 };
  const bench = await prepare(backend, {
    optimizer: lmd,
    options,
    precision: { ...float32, weight },
    tensors,
  });
  for (let t = 1; t <= 5; t++) await bench.step([[1, -1, 1, -1]], t);
  expect((await bench.state())["w0.minus"]).toContain(0);
  expect((await bench.values())[0].every(Number.isFinite)).toBe(true);
  await backend.close();
});
