import { describe, expect, it } from "vitest";
import { format } from "../formats/index.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { normal } from "../random/normal.ts";
import { roundingBits, weylPhase } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { FLOAT32, readTensor, readValues } from "../tensor/tensor.ts";
import { optimizer as adamw } from "./adamw.ts";
import { createGroup } from "./group.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Options } from "./options.ts";
import { optimizer as rung } from "./rung.ts";

const f = Math.fround;
const SEED = 5;
const ladder: TensorPrecision = { format: "lns8-g16", rounding: "stochastic", scale: "tensor" };

async function prepare(
  weight: TensorPrecision | null,
  initial: readonly number[],
  options: Options = {},
  optimizer: Optimizer = rung,
) {
  const device = new Device(createReferenceBackend());
  const tensor = device.tensor(Float64Array.from(initial), [1, initial.length], FLOAT32);
  const parameter: Parameter = { name: "w", kind: "matrix", tensor: { ...tensor, tracked: true } };
  const precision = { weight, gradient: null, moment: { first: null, second: null } };
  const group = await createGroup({ optimizer, options, precision, parameters: [parameter], seed: SEED });
  const step = (gradient: readonly number[], t: number): Promise<void> =>
    device.step(() => {
      const g = device.tensor(Float64Array.from(gradient), [1, gradient.length]);
      group.step(new Map([[parameter.tensor, g]]), { t, lrFactor: 1 });
    });
  const codes = async (): Promise<number[]> => [...(await readTensor(parameter.tensor))].map(Number);
  const values = async (): Promise<number[]> => [...(await readValues(parameter.tensor))];
  const top = async (): Promise<number> => Number((await readTensor(group.slots[0].scale))[0]);
  return { step, codes, values, top };
}

const gradientAt = (t: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => f(normal([t, 77], i) * 2 ** ((i % 7) - 3)));
const start = Array.from({ length: 48 }, (_, i) => f(normal([5, 6], i)));

describe("rung", () => {
  it("is AdamW in float32", async () => {
    const options = { lr: 0.01, beta2: 0.99, weightDecay: 0.1 };
    const own = await prepare(null, start, options);
    const theirs = await prepare(null, start, options, adamw);
    for (let t = 1; t <= 20; t++) {
      await own.step(gradientAt(t, start.length), t);
      await theirs.step(gradientAt(t, start.length), t);
    }
    expect(await own.values()).toEqual(await theirs.values());
  });

  it("gives the codes and tops of an independent implementation over 200 steps", async () => {
    const bench = await prepare(ladder, start, { lr: 0.05, weightDecay: 0.1 });
    const { decode, encode } = format("lns8-g16");
    const lowest = 2 ** (-126 / 16);
    const [key0, key1] = streamKey(SEED, "w", 0, "update rounding");
    const codes = await bench.codes();
    let top = await bench.top();
    const m = codes.map(() => 0);
    const v = codes.map(() => 0);
    let undecided = 0;
    for (let t = 1; t <= 200; t++) {
      const g = gradientAt(t, codes.length);
      const before = top;
      const open = new Map<number, number>();
      const most = Math.max(...codes.map((code) => code & 127));
      top *= most > 125 ? f(2 ** 0.25) : most < 117 ? f(2 ** -0.25) : 1; // constants are float32
      for (let i = 0; i < codes.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.99 * v[i] + 0.01 * g[i] ** 2;
        const ratio = m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.99 ** t)) + 1e-8);
        const w = f(decode(codes[i])) * before;
        const x = (w - f(0.05) * ratio - f(0.05 * 0.1) * w) / top;
        const bits = (roundingBits(i, key0) + key1 + weylPhase(t)) >>> 0;
        const u = x < 0 ? ~bits >>> 0 : bits;
        const leaves = Math.abs(x) / lowest + (u >>> 9) * 2 ** -23 >= 1;
        const near = leaves ? (x < 0 ? 129 : 1) : 0;
        codes[i] = Math.abs(x) < lowest ? near : encode(x, "stochastic", u);
        // Where u comes within 1/2000 of a rung of the decision it may fall either way.
        const decision = 16 * Math.log2(Math.abs(x)) + 1 + u * 2 ** -32;
        if (Math.abs(decision - Math.round(decision)) < 1 / 1000) open.set(i, Math.round(decision) + 126);
      }
      await bench.step(g, t);
      const found = await bench.codes();
      for (const [i, boundary] of open) {
        expect(Math.abs((found[i] & 127) - boundary + 0.5)).toBe(0.5);
        codes[i] = found[i];
        undecided++;
      }
      expect(found).toEqual(codes);
      expect(await bench.top()).toBe(top);
    }
    expect(new Set(codes).size).toBeGreaterThan(20);
    expect(undecided).toBeLessThan(60); // of 9600
  });

  it.each([
    ["lns8-g16", 1],
    ["lns8-g32", 2 ** -4],
  ])(
    "walks through zero at about its mean pace on %s, in steps smaller than the lowest rung",
    async (name, top) => {
      const size = 400;
      const initial = Array.from({ length: size }, (_, i) => (i === 0 ? top : 0.004));
      const bench = await prepare({ ...ladder, format: name, scale: top }, initial, { lr: 2e-4, beta1: 0 });
      const mean = async (): Promise<number> =>
        (await bench.values()).slice(1).reduce((sum, w) => sum + w, 0) / (size - 1);
      const first = await mean();
      for (let t = 1; t <= 60; t++) await bench.step([0, ...initial.slice(1).map(() => 1)], t);
      // The lowest rung is 0.0043. A walk that remembers where it was is right on average over all steps, not from each
      // rung on: independent draws give 1 ± 0.01 here, the Weyl sequence 1.2 after 60 steps and 1.1 after 100.
      const pace = (first - (await mean())) / (60 * 2e-4);
      expect(pace).toBeGreaterThan(0.9);
      expect(pace).toBeLessThan(1.25);
      expect((await bench.values()).slice(1).every((w) => w <= 0)).toBe(true);
    },
  );

  it("lets the top follow the largest weight by whole rungs, without moving weights that have no gradient", async () => {
    const initial = [1, 0.5, -0.25, 0.125];
    const bench = await prepare({ ...ladder, scale: 8 }, initial, { lr: 0.1 });
    const rest = (await bench.values()).slice(1);
    const tops: number[] = [];
    for (let t = 1; t <= 60; t++) {
      await bench.step([t <= 20 ? 0 : -1, 0, 0, 0], t);
      tops.push(await bench.top());
      (await bench.values()).slice(1).forEach((w, i) => expect(w / rest[i]).toBeCloseTo(1, 5));
    }
    expect(tops.slice(9, 20).every((top) => Math.abs(Math.log2(top) - 0.5) < 1e-6)).toBe(true); // 1 lies below by ½
    const [largest] = await bench.values();
    expect(largest).toBeGreaterThan(4);
    expect(Math.log2((await bench.top()) / largest)).toBeGreaterThan(0);
    expect(Math.log2((await bench.top()) / largest)).toBeLessThan(0.65);
  });

  it("leaves the top of zeros where it is, and they can leave it", async () => {
    const bench = await prepare({ ...ladder, scale: 1 }, [0, 0], { lr: 0.1 });
    await bench.step([0, 0], 1);
    expect(await bench.top()).toBe(1);
    await bench.step([-1, 1], 2);
    const [up, down] = await bench.values();
    expect(up).toBeGreaterThan(0);
    expect(down).toBeLessThan(0);
  });
});
