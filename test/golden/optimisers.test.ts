/** Golden vectors of the optimisers: float64 arithmetic by hand, and 200 steps of an independent implementation. */
import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { createGroup, type OptimizerGroup } from "../../src/optim/group.ts";
import { optimizer as adamw } from "../../src/optim/adamw.ts";
import { optimizer as integerMadam } from "../../src/optim/integer-madam.ts";
import { optimizer as lnsMadam } from "../../src/optim/lns-madam.ts";
import { optimizer as madam } from "../../src/optim/madam.ts";
import { optimizer as sgd } from "../../src/optim/sgd.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import type { Options } from "../../src/optim/options.ts";
import type { TensorPrecision } from "../../src/precision/policy.ts";
import type { StatePrecision } from "../../src/optim/fields.ts";
import { normal } from "../../src/random/normal.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Parameter } from "../../src/tensor/parameter.ts";
import { FLOAT32, readTensor, readValues } from "../../src/tensor/tensor.ts";

const p0 = [0.5, -0.25, 0.1, 0];
const g1 = [0.1, -0.2, 0, 0.3];
const g2 = [-0.05, -0.4, 0.2, 0.1];
const float32: StatePrecision = { weight: null, gradient: null, moment: { first: null, second: null } };

interface Bench {
  readonly parameter: Parameter;
  readonly group: OptimizerGroup;
  step(gradient: readonly number[], t: number): Promise<void>;
}

async function prepare(
  optimizer: Optimizer,
  options: Options,
  initial: readonly number[],
  precision = float32,
): Promise<Bench> {
  const device = new Device(createReferenceBackend());
  const tensor = { ...device.tensor(Float64Array.from(initial), [initial.length], FLOAT32), tracked: true };
  const parameter: Parameter = { name: "w", kind: "matrix", tensor };
  const group = await createGroup({ optimizer, options, precision, parameters: [parameter], seed: 1 });
  const step = (gradient: readonly number[], t: number) =>
    device.step(() => {
      const g = device.tensor(Float64Array.from(gradient), [gradient.length]);
      group.step(new Map([[parameter.tensor, g]]), { t, lrFactor: 1 });
    });
  return { parameter, group, step };
}

/** The vectors have twelve digits; σ* is a float32. */
const nearly = async (bench: Bench, expected: readonly number[]) => {
  const values = await readValues(bench.parameter.tensor);
  expected.forEach((x, i) => expect(values[i]).toBeCloseTo(x, 7));
};

const near = async (bench: Bench, expected: readonly number[]) => {
  const values = await readValues(bench.parameter.tensor);
  expected.forEach((x, i) => expect(values[i]).toBeCloseTo(x, 9));
};

describe("golden vectors", () => {
  it("madam", async () => {
    const bench = await prepare(madam, {}, p0);
    expect((await readTensor(bench.group.slots[0].scale))[0]).toBeCloseTo(0.85183625187, 6);
    await bench.step(g1, 1);
    await near(bench, [0.495024916875, -0.247512458437, 0.1, 0]);
    await bench.step(g2, 2);
    await near(bench, [0.498166123694, -0.244401827584, 0.0985960880962, 0]);
  });

  it("lns-madam", async () => {
    const bench = await prepare(lnsMadam, {}, p0);
    await bench.step(g1, 1);
    await near(bench, [0.497299711742, -0.248649855871, 0.1, 0]);
    await bench.step(g2, 2);
    await near(bench, [0.5, -0.247307003298, 0.0994599423484, 0]);
  });
});

describe("madam on a natural-log ladder", () => {
  it("adds whole rungs to the code: B-bit Madam", async () => {
    const weight: TensorPrecision = { format: "lns12-eta0.001", rounding: "nearest-even", scale: "tensor" };
    const bench = await prepare(madam, {}, p0.slice(0, 3), { ...float32, weight });
    const codes = async () => [...(await readTensor(bench.parameter.tensor))].map(Number);
    const before = await codes();
    await bench.step(g1.slice(0, 3), 1); // ĝ = 1, -1, 0: ten rungs towards zero, in magnitude, for both
    expect((await codes()).map((code, i) => code - before[i])).toEqual([-10, -10, 0]);
    await bench.step(g2.slice(0, 3), 2); // ĝ = -0.6325, -1.2647, 1.4139
    expect((await codes()).map((code, i) => code - before[i])).toEqual([-4, -23, -14]);
  });
});

it("refuses moments in a format that has no zero to start from", async () => {
  const second: TensorPrecision = { format: "lns12-eta0.001", rounding: "nearest-even", scale: "none" };
  const precision = { ...float32, moment: { first: null, second } };
  await expect(prepare(madam, {}, p0, precision)).rejects.toThrow(/lns12-eta0.001 has no zero/);
});

describe("integer-madam's golden vector", () => {
  const top = 0.85183625187;
  const k0 = [0, 1000, 4095, 7];
  const started = k0.map((k, i) => Math.sign(p0[i]) * top * Math.exp(-0.001 * k));
  /** σ* is that of p0, whatever the values started from. */
  const scale = top / Math.sqrt(started.reduce((sum, x) => sum + x * x, 0) / 4);

  it("in float32", async () => {
    const bench = await prepare(integerMadam, { init: "weights", scale }, started);
    await bench.step(g1, 1);
    await nearly(bench, [0.843360339545, -0.310254930418, 0.0141879684857, 0]);
    await bench.step(g2, 2);
    await nearly(bench, [0.848435712475, -0.306247719628, 0.0141879684857, 0]);
  });

  it("in codes, which count k from the other end", async () => {
    const weight: TensorPrecision = { format: "lns12-eta0.001", rounding: "nearest-even", scale: top };
    const bench = await prepare(integerMadam, { init: "weights" }, started.slice(0, 3), {
      ...float32,
      weight,
    });
    const rungs = async () =>
      [...(await readTensor(bench.parameter.tensor))].map((code) => 4095 - (Number(code) & 4095));
    expect(await rungs()).toEqual([0, 1000, 4095]);
    await bench.step(g1.slice(0, 3), 1);
    expect(await rungs()).toEqual([10, 1010, 4095]);
    await bench.step(g2.slice(0, 3), 2);
    expect(await rungs()).toEqual([4, 1023, 4095]);
  });

  it("starts from rungs drawn from all but the last, signs kept", async () => {
    const values = Array.from({ length: 3000 }, (_, i) => (i % 3) - 1);
    const weight: TensorPrecision = { format: "lns8-eta0.01", rounding: "nearest-even", scale: 1 };
    const bench = await prepare(integerMadam, {}, values.filter(Boolean), { ...float32, weight });
    const codes = [...(await readTensor(bench.parameter.tensor))].map(Number);
    expect(codes.map((code) => code >> 8)).toEqual(values.filter(Boolean).map((x) => (x < 0 ? 1 : 0)));
    const k = codes.map((code) => 255 - (code & 255));
    expect(Math.min(...k)).toBe(0);
    expect(Math.max(...k)).toBe(254);
    const mean = k.reduce((a, b) => a + b, 0) / k.length;
    expect(Math.abs(mean - 127)).toBeLessThan(4 * Math.sqrt((255 ** 2 - 1) / 12 / k.length));
  });
});

/** Gradients of a noisy quadratic, the same for every implementation. */
const gradientAt = (t: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => Math.fround(normal([t, 77], i) * 2 ** ((i % 7) - 3)));
const start = Array.from({ length: 24 }, (_, i) => Math.fround(normal([5, 6], i)));
const f = Math.fround;

describe("200 steps equal an independent float64 implementation", () => {
  it("adamw", async () => {
    const bench = await prepare(adamw, { lr: 0.003, weightDecay: 0.1 }, start);
    const w = [...start];
    const m = w.map(() => 0);
    const v = w.map(() => 0);
    for (let t = 1; t <= 200; t++) {
      const g = gradientAt(t, w.length);
      for (let i = 0; i < w.length; i++) {
        m[i] = 0.9 * m[i] + 0.1 * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        const ratio = m[i] / (1 - 0.9 ** t) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
        w[i] -= f(0.003) * ratio + f(0.0003) * w[i]; // uniforms are float32
      }
      await bench.step(g, t);
    }
    const values = await readValues(bench.parameter.tensor);
    w.forEach((x, i) => expect(Math.abs(values[i] - x)).toBeLessThan(1e-6 * Math.max(1, Math.abs(x))));
  });

  it.each([
    ["madam", madam, { momentum: 0.9, lr: 0.02 }, Math.LOG2E, false],
    ["lns-madam", lnsMadam, {}, 1, true],
    ["lns-madam with decay", lnsMadam, { weightDecay: 0.05 }, Math.LOG2E, true],
  ] as const)("%s", async (_, optimizer, options, base, rounds) => {
    const bench = await prepare(optimizer, options, start);
    const lr = "lr" in options ? options.lr : 2 ** -7;
    const momentum = "momentum" in options ? options.momentum : 0;
    const decay = "weightDecay" in options ? options.weightDecay : 0;
    const top = 3 * Math.sqrt(start.reduce((sum, x) => sum + x * x, 0) / start.length);
    const w = [...start];
    const m = w.map(() => 0);
    const v = w.map(() => 0);
    for (let t = 1; t <= 200; t++) {
      const g = gradientAt(t, w.length);
      for (let i = 0; i < w.length; i++) {
        m[i] = momentum * m[i] + (1 - momentum) * g[i];
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        const ratio = m[i] / (1 - momentum ** t) / Math.sqrt(v[i] / (1 - 0.999 ** t));
        const bounded = Math.max(-10, Math.min(10, ratio));
        const steps = rounds ? halfEven(bounded) : bounded;
        w[i] *= 2 ** (f(-lr * base) * steps * Math.sign(w[i]) + f(-lr * decay * base)); // uniforms are float32
        w[i] = Math.max(-top, Math.min(top, w[i]));
      }
      await bench.step(g, t);
    }
    const values = await readValues(bench.parameter.tensor);
    w.forEach((x, i) => expect(Math.abs(values[i] - x)).toBeLessThan(1e-6 * Math.abs(x)));
  });

  it("lns-madam on rungs: codes are equal, nearest rounding", async () => {
    const weight: TensorPrecision = { format: "lns8-g16", rounding: "nearest-even", scale: "tensor" };
    const bench = await prepare(lnsMadam, { lr: 0.1 }, start, { ...float32, weight });
    const codes = [...(await readTensor(bench.parameter.tensor))].map(Number);
    const v = codes.map(() => 0);
    for (let t = 1; t <= 200; t++) {
      const g = gradientAt(t, codes.length);
      for (let i = 0; i < codes.length; i++) {
        v[i] = 0.999 * v[i] + 0.001 * g[i] ** 2;
        const ratio = g[i] / Math.sqrt(v[i] / (1 - 0.999 ** t));
        const sign = codes[i] >= 128 ? -1 : 1;
        const change = halfEven(Math.max(-10, Math.min(10, ratio)) * -f(0.1) * sign * 16);
        codes[i] = (codes[i] & 128) | Math.max(1, Math.min(127, (codes[i] & 127) + change));
      }
      await bench.step(g, t);
    }
    expect([...(await readTensor(bench.parameter.tensor))]).toEqual(codes);
  });
});

function halfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

describe("weights on a ladder", () => {
  const weight: TensorPrecision = { format: "lns8-g16", rounding: "stochastic", scale: "tensor" };
  const moment = {
    first: { format: "lns8-g8", rounding: "stochastic", scale: "tensor" },
    second: { format: "ulns8-g4", rounding: "stochastic", scale: "tensor" },
  } as const;

  it("never change sign, and a zero gradient leaves the codes unchanged", async () => {
    const bench = await prepare(lnsMadam, { lr: 0.2, momentum: 0.9 }, start, { ...float32, weight, moment });
    const before = [...(await readTensor(bench.parameter.tensor))].map(Number);
    await bench.step(
      start.map(() => 0),
      1,
    );
    expect([...(await readTensor(bench.parameter.tensor))]).toEqual(before);
    for (let t = 2; t <= 60; t++) await bench.step(gradientAt(t, start.length), t);
    const after = [...(await readTensor(bench.parameter.tensor))].map(Number);
    expect(after.map((c) => c & 128)).toEqual(before.map((c) => c & 128));
    expect(after).not.toEqual(before);
    expect(after.every((c) => (c & 127) >= 1)).toBe(true);
  });

  it("have the top rung that the policy names, else a multiple of the root mean square", async () => {
    const named = { ...weight, scale: 4 };
    const [fixed, measured] = [
      await prepare(lnsMadam, {}, start, { ...float32, weight: named }),
      await prepare(lnsMadam, {}, start, { ...float32, weight }),
    ];
    expect((await readTensor(fixed.group.slots[0].scale))[0]).toBe(4);
    const rms = Math.sqrt(start.reduce((sum, x) => sum + x * x, 0) / start.length);
    expect((await readTensor(measured.group.slots[0].scale))[0]).toBeCloseTo(3 * rms, 5);
  });

  it("move by the right amount on average under stochastic rounding", async () => {
    const size = 4000;
    const bench = await prepare(
      lnsMadam,
      { lr: 0.02 },
      Array.from({ length: size }, () => 1),
      { ...float32, weight },
    );
    const before = Number((await readTensor(bench.parameter.tensor))[0]);
    await bench.step(
      Array.from({ length: size }, () => 3),
      1,
    ); // ĝ = 1: down by 0.02 · 16 = 0.32 rungs
    const codes = [...(await readTensor(bench.parameter.tensor))].map(Number);
    const moved = codes.reduce((sum, code) => sum + (before - code), 0) / size;
    expect(Math.abs(moved - 0.32)).toBeLessThan(4 * Math.sqrt((0.32 * 0.68) / size));
  });

  it.each([
    ["lns8-g16", 16],
    ["lns8-g32", 32],
    ["lns16-g1024", 1024],
  ])("take additive steps far smaller than a rung of %s on average", async (format, perOctave) => {
    const size = 4000;
    const steps = 10;
    const rungs = 0.02; // a step
    const precision = { ...float32, weight: { ...weight, format, scale: 4 } };
    for (const direction of [1, -1]) {
      const values = Array.from({ length: size }, (_, i) => (i % 2 ? 1 : -1));
      const bench = await prepare(sgd, { lr: 1, momentum: 0 }, values, precision);
      const before = await readTensor(bench.parameter.tensor);
      const change = direction * (2 ** (rungs / perOctave) - 1);
      const gradient = values.map((w) => -w * change);
      for (let t = 1; t <= steps; t++) await bench.step(gradient, t);
      const after = await readTensor(bench.parameter.tensor);
      const moved = Array.from(after, (code, i) => Number(code) - Number(before[i]));
      const mean = moved.reduce((sum, x) => sum + x, 0) / size;
      // A weight's random number walks evenly through its values, so ten steps together are as good as one of ten times the size.
      const expected = direction * steps * rungs;
      expect(Math.abs(mean - expected)).toBeLessThan(4 * Math.sqrt((Math.abs(expected) * (1 - Math.abs(expected))) / size));
    }
  }); // prettier-ignore

  it("keep moments in 8 bits close to those in float32", async () => {
    const run = async (precision: StatePrecision) => {
      const bench = await prepare(adamw, { lr: 0.01, weightDecay: 0 }, start, precision);
      for (let t = 1; t <= 200; t++) {
        const w = await readValues(bench.parameter.tensor);
        await bench.step(
          [...w].map((x, i) => x - 2 + gradientAt(t, start.length)[i] / 8),
          t,
        );
      }
      return readValues(bench.parameter.tensor);
    };
    const [exact, coded] = [await run(float32), await run({ ...float32, moment })];
    exact.forEach((x, i) => expect(Math.abs(coded[i] - x)).toBeLessThan(0.25));
  });
});
