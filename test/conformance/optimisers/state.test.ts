/** What must hold of every optimiser's state, in float32 and in codes: signs, zeros, checkpoints, compiled kernels. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, Kernel } from "../../../src/kernels/backend.ts";
import type { StatePrecision } from "../../../src/optim/fields.ts";
import { optimizers } from "../../../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import type { TensorPrecision } from "../../../src/precision/policy.ts";
import { normal } from "../../../src/random/normal.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../../src/train/checkpoint.ts";
import { restore, snapshot } from "../../../src/train/snapshot.ts";
import { backends, float32, prepare, type Bench } from "./backends.ts";
import { settings, signKeeping } from "./settings.ts";

const stochastic = (format: string): TensorPrecision => ({ format, rounding: "stochastic", scale: "tensor" });
const moments = (first: string, second: string): StatePrecision["moment"] => ({
  first: stochastic(first),
  second: stochastic(second),
});

const precisions: readonly (readonly [name: string, precision: StatePrecision])[] = [
  ["float32", float32],
  ["8-bit codes", { ...float32, weight: stochastic("lns8-g16"), moment: moments("lns8-g8", "ulns8-g4") }],
  ["packed codes", { ...float32, weight: stochastic("lns6-g4"), moment: moments("lns6-g2", "ulns4-g1") }],
  ["16-bit codes", { ...float32, weight: stochastic("lns16-g1024"), moment: moments("lns16-g512", "bf16") }],
  ["bf16 weights", { ...float32, weight: stochastic("bf16"), moment: moments("bf16", "ulns16-g512") }],
  ["natural ladders", { ...float32, weight: stochastic("lns12-eta0.001"), moment: float32.moment }],
  ["fp8 and int8", { ...float32, weight: stochastic("int8"), moment: moments("fp8-e4m3", "fp8-e5m2") }],
];

const tensors = [
  { shape: [5, 7], values: Array.from({ length: 35 }, (_, i) => normal([1, 2], i)) },
  { shape: [9], values: Array.from({ length: 9 }, (_, i) => normal([3, 4], i)) },
];
const gradientsAt = (t: number): number[][] =>
  tensors.map(({ values }, k) => values.map((_, i) => normal([t, 50 + k], i) * 2 ** ((i % 5) - 2)));
const zeros = tensors.map(({ values }) => values.map(() => 0));

async function steps(bench: Bench, from: number, to: number): Promise<void> {
  for (let t = from; t <= to; t++) await bench.step(gradientsAt(t), t, 1 - t / 100);
}

const everything = (bench: Bench) => ({
  ...(bench.group.materialises
    ? {}
    : Object.fromEntries(bench.parameters.map(({ name, tensor }) => [name, tensor]))),
  ...bench.group.tensors(),
});

async function elements(bench: Bench): Promise<unknown> {
  return [await bench.codes(), await bench.state()];
}

/** A backend that notes which kernels are compiled. */
function watched(backend: Backend): { backend: Backend; kernels: Set<Kernel> } {
  const kernels = new Set<Kernel>();
  const compile: Backend["compile"] = (kernel) => {
    kernels.add(kernel);
    return backend.compile(kernel);
  };
  const watching = new Proxy(backend, {
    get: (target, key) => {
      if (key === "compile") return compile;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { backend: watching, kernels };
}

describe.each(backends)("on $name", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  describe.each(Object.entries(optimizers as Record<string, Optimizer>))("%s", (name, optimizer) => {
    const options = settings[name] ?? {};

    describe.each(precisions)("in %s", (_, precision) => {
      const make = (on = backend): Promise<Bench> => prepare(on, { optimizer, options, precision, tensors });

      it("goes on from a checkpoint as if it had not stopped", async () => {
        const straight = await make();
        await steps(straight, 1, 12);
        const first = await make();
        await steps(first, 1, 6);
        const parts = await encodeCheckpoint({ tensors: await snapshot(everything(first)), metadata: {} });
        const saved = await decodeCheckpoint(new Uint8Array(Buffer.concat(parts)));
        const second = await make();
        restore(everything(second), saved.tensors);
        expect(await elements(second)).toEqual(await elements(first));
        await steps(second, 7, 12);
        expect(await elements(second)).toEqual(await elements(straight));
        expect(await second.values()).not.toEqual(await first.values());
        expect((await second.values()).flat().every(Number.isFinite)).toBe(true);
      });
    });

    it("compiles nothing after its first step, whatever the learning rate", async () => {
      const { backend: watching, kernels } = watched(backend);
      const bench = await prepare(watching, { optimizer, options, tensors, clipValue: 2 });
      await bench.step(gradientsAt(1), 1);
      const compiled = kernels.size;
      expect(compiled).toBeGreaterThan(0);
      for (const [i, factor] of [0.5, 2, 0].entries()) await bench.step(gradientsAt(i + 2), i + 2, factor);
      expect(kernels.size).toBe(compiled);
    });

    it("updates all tensors of a group as it would each alone", async () => {
      const together = await prepare(backend, { optimizer, options, tensors });
      const alone = await prepare(backend, { optimizer, options, tensors: tensors.slice(0, 1) });
      for (let t = 1; t <= 3; t++) {
        await together.step(gradientsAt(t), t);
        await alone.step(gradientsAt(t), t);
      }
      expect((await together.values())[0]).toEqual((await alone.values())[0]);
    });

    it("clips gradients value by value", async () => {
      const clipped = await prepare(backend, { optimizer, options, tensors, clipValue: 0.5 });
      const bounded = await prepare(backend, { optimizer, options, tensors });
      for (let t = 1; t <= 3; t++) {
        const gradients = gradientsAt(t);
        await clipped.step(gradients, t);
        await bounded.step(
          gradients.map((row) => row.map((x) => Math.max(-0.5, Math.min(0.5, x)))),
          t,
        );
      }
      expect(await clipped.values()).toEqual(await bounded.values());
    });
  });

  describe.each(signKeeping)("%s", (name) => {
    const optimizer = (optimizers as Record<string, Optimizer>)[name];
    it.each(precisions)("keeps signs, and codes where gradients are zero, in %s", async (_, precision) => {
      const bench = await prepare(backend, { optimizer, options: settings[name] ?? {}, precision, tensors });
      const before = await bench.codes();
      const signs = (await bench.values()).map((row) => row.map(Math.sign));
      for (let t = 1; t <= 3; t++) await bench.step(zeros, t);
      expect(await bench.codes()).toEqual(before);
      await steps(bench, 4, 60);
      expect((await bench.values()).map((row) => row.map(Math.sign))).toEqual(signs);
      expect(await bench.codes()).not.toEqual(before);
    });
  });
});
