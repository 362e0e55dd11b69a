import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { createGroup } from "../../../src/optim/group.ts";
import { normal } from "../../../src/random/normal.ts";
import { Device } from "../../../src/tensor/device.ts";
import type { Parameter } from "../../../src/tensor/parameter.ts";
import { FLOAT32, readTensor, readValues } from "../../../src/tensor/tensor.ts";
import { parseSetting } from "../../../tools/ablation/setting.ts";

describe("a setting of tools/ablation.ts", () => {
  it("reads an optimiser's options, roles over a preset, and what is exempt", () => {
    const setting = parseSetting(
      "rung:lr=0.006,precision=rung8,precision.activation=null,precision.moment.second=bf16,embeddings=exempt,exempt.lr=0.01",
    );
    expect(setting.optimizer.name).toBe("rung");
    expect(setting.options).toEqual({ lr: 0.006 });
    expect(setting.policy).toMatchObject({ activation: null, saved: null, weight: { format: "lns8-g16" } });
    expect(setting.policy.moment).toMatchObject({ first: { format: "lns8-g8" }, second: { format: "bf16" } });
    expect(setting.exemptEmbeddings).toBe(true);
    expect(setting.exemptOptions).toMatchObject({ lr: 0.01, beta2: 0.99 });
  });

  it("keeps the commas of an object together", () => {
    const { options, policy } = parseSetting(
      'adamw:precision.update={"format":"int8","rounding":"stochastic"},precision.layers.w?e.update=null,lr=0.1',
    );
    expect(policy.update).toMatchObject({ format: "int8", rounding: "stochastic" });
    expect(policy.layers).toEqual({ "w?e": { update: null } });
    expect(options).toEqual({ lr: 0.1 });
  });

  it("names what it does not know", () => {
    expect(() => parseSetting("rang:lr=1")).toThrow(/unknown optimiser "rang" \(did you mean "rung"/);
    expect(() => parseSetting("rung:embeddings=none")).toThrow(/wants own or exempt/);
    expect(() => parseSetting("rung:precision.update=lns9")).toThrow(/unknown format "lns9"/);
  });
});

describe("variants of rung", () => {
  const size = 64;
  const initial = Float64Array.from({ length: size }, (_, i) => Math.fround(normal([3, 4], i)));

  /** Weights and top after 40 steps of random gradients. */
  async function after(setting: string): Promise<{ weights: readonly number[]; top: number }> {
    const device = new Device(createReferenceBackend());
    const tensor = device.tensor(initial, [1, size], FLOAT32);
    const parameter: Parameter = { name: "w", kind: "matrix", tensor: { ...tensor, tracked: true } };
    const { optimizer, options, policy } = parseSetting(
      `${setting}:lr=0.1,scale=8,precision.update.format=lns8-g16,precision.update.rounding=stochastic`,
    );
    const precision = { weight: policy.update, gradient: null, moment: policy.moment };
    const group = await createGroup({ optimizer, options, precision, parameters: [parameter], seed: 1 });
    for (let t = 1; t <= 40; t++)
      await device.step(() => {
        const g = Float64Array.from(initial, (_, i) => Math.fround(normal([t, 9], i)));
        group.step(new Map([[parameter.tensor, device.tensor(g, [1, size])]]), { t, lrFactor: 1 });
      });
    const weights = [...(await readValues(parameter.tensor))];
    return { weights, top: Number((await readTensor(group.slots[0].scale))[0]) };
  }

  const flipped = (weights: readonly number[]): number =>
    weights.filter((w, i) => Math.sign(w) === -Math.sign(initial[i])).length;
  const rms = Math.sqrt(initial.reduce((sum, w) => sum + w * w, 0) / size);

  it("rung itself changes signs and lowers a top that is too high", async () => {
    const { weights, top } = await after("rung");
    expect(flipped(weights)).toBeGreaterThan(3);
    expect(top).toBeLessThan(6 * rms);
  });

  it("rung-signs-kept changes none, and no weight stays at zero", async () => {
    const { weights } = await after("rung-signs-kept");
    expect(weights.map(Math.sign)).toEqual([...initial].map(Math.sign));
  });

  it("rung-fixed-top leaves the top where it was", async () => {
    const { weights, top } = await after("rung-fixed-top");
    expect(top).toBeCloseTo(8 * rms, 5);
    expect(flipped(weights)).toBeGreaterThan(3);
  });

  it("rung-log-zero ends elsewhere than rung, below the same top", async () => {
    const [own, theirs] = [await after("rung-log-zero"), await after("rung")];
    expect(own.weights).not.toEqual(theirs.weights);
    expect(own.top).toBe(theirs.top);
  });
});
