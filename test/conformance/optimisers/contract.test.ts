/** What the contract promises to rules that need more than a change of one weight. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../../src/kernels/backend.ts";
import type { Optimizer } from "../../../src/optim/optimizer.ts";
import type { TensorPrecision } from "../../../src/precision/policy.ts";
import { backends, float32, prepare } from "./backends.ts";
import { difference } from "./difference.ts";

/** The top rung follows the largest weight: w ← w - η g, σ* ← 2 max|w|. */
const following: Optimizer = {
  name: "following",
  summary: "gradient descent under a top that moves",
  options: { lr: { type: "number", default: 0.1, min: 0, exclusive: true, doc: "step size" } },
  state: () => ({
    scale: { role: "number", init: ({ scale }) => scale, next: ({ reduced }) => reduced("largest").mul(2) },
  }),
  uniforms: (_, rate) => ({ lr: rate }),
  reductions: () => ({ largest: { op: "max", value: ({ w }) => w.abs() } }),
  update: ({ w, g, uniform }) => ({ kind: "additive", value: w.sub(g.mul(uniform("lr"))) }),
};

const ladder: TensorPrecision = { format: "lns16-g1024", rounding: "stochastic", scale: "tensor" };
const unsigned: TensorPrecision = { format: "ulns8-g16", rounding: "stochastic", scale: 4 };
const first: TensorPrecision = { format: "lns8-g8", rounding: "stochastic", scale: "tensor" };
const target = [0.5, -0.75, 0, 1];

describe.each(backends)("on $name", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  it.each([
    ["float32", float32, 0.02],
    ["codes of 8 bits", { ...float32, weight: unsigned, moment: { first, second: null } }, 0.12],
  ])("weights are computed from parts before each pass, in %s", async (_, precision, tolerance) => {
    const start = { shape: [4], values: [1, 1, -1, -1] };
    const bench = await prepare(backend, { optimizer: difference, options: {}, precision, tensors: [start] });
    const { device, group, parameters } = bench;
    const [parameter] = parameters;
    const seen = new Set<string>();
    for (let t = 1; t <= 300; t++) {
      const factor = Math.max(0.05, 1 - t / 250);
      const read = await device.step(async () => {
        group.materialise({ t, lrFactor: factor, sample: 0 });
        const w = Array.from(await backend.read(parameter.tensor.storage.slice(), "f32", 4), Number);
        const g = device.tensor(
          Float32Array.from(w, (x, i) => x - target[i]),
          [4],
        );
        group.step(new Map([[parameter.tensor, g]]), { t, lrFactor: factor });
        return w;
      });
      seen.add(read.join());
    }
    expect(seen.size).toBe(300); // the noise is another at every step
    const [values] = await bench.values();
    values.forEach((x, i) => expect(Math.abs(x - target[i])).toBeLessThan(tolerance));
    expect((await bench.values())[0]).toEqual(values); // and none in evaluation
    expect(Object.keys(await bench.state())).toEqual(
      expect.arrayContaining(["w0.u", "w0.v", "w0.m", "w0.scale"]),
    );
  });

  it("samples of one step differ, and one sample is always the same", async () => {
    const start = { shape: [4], values: [1, 1, -1, -1] };
    const bench = await prepare(backend, { optimizer: difference, options: {}, tensors: [start] });
    const draw = (t: number, sample: number) =>
      bench.device.step(async () => {
        bench.group.materialise({ t, lrFactor: 1, sample });
        return [...(await backend.read(bench.parameters[0].tensor.storage.slice(), "f32", 4))];
      });
    const [a, again, other, later] = [await draw(1, 0), await draw(1, 0), await draw(1, 1), await draw(2, 0)];
    expect(again).toEqual(a);
    expect(other).not.toEqual(a);
    expect(later).not.toEqual(a);
  });

  it.each([
    ["float32", float32],
    ["codes", { ...float32, weight: ladder }],
  ])("a number of the tensor moves the top, and codes with it, in %s", async (_, precision) => {
    const bench = await prepare(backend, {
      optimizer: following,
      options: { lr: 0.5 },
      precision,
      tensors: [
        { shape: [3, 2], values: [1, -2, 3, -4, 5, -6] },
        { shape: [2], values: [0.5, -0.25] },
      ],
    });
    await bench.step(
      [
        [0, 0, 0, 0, 0, 4],
        [0, 0],
      ],
      1,
    );
    const [a, b] = await bench.values();
    [1, -2, 3, -4, 5, -8].forEach((x, i) => expect(a[i]).toBeCloseTo(x, 1));
    [0.5, -0.25].forEach((x, i) => expect(b[i]).toBeCloseTo(x, 3));
    const state = await bench.state();
    expect(state["w0.scale"][0]).toBeCloseTo(12, 1);
    expect(state["w1.scale"][0]).toBeCloseTo(1, 2);
  });
});

it("a field of both signs is refused in an unsigned format", async () => {
  const [{ open }] = backends;
  const moment = { first: { ...unsigned }, second: null };
  const spec = { optimizer: difference, options: {}, precision: { ...float32, moment }, tensors: [] };
  await expect(prepare(await open(), spec)).rejects.toThrow(/"m" has both signs, and ulns8-g16 has none/);
});
