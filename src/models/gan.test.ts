import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { countParameters } from "../nn/layer-specs.ts";
import { evaluationPass, trainingPass, type Pass } from "../nn/pass.ts";
import { discriminatorHingeLoss, generatorHingeLoss } from "../ops/adversarial-losses.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { orthogonal } from "../random/orthogonal.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, readValues, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { ganPreset, ganPresets, type GanModel } from "./gan.ts";
import type { ImageTask } from "./image-model.ts";

const cifar: ImageTask = { channels: 3, height: 32, width: 32, classes: 10 };
const clothes: ImageTask = { channels: 1, height: 28, width: 28, classes: 10 };
const small: ImageTask = { channels: 2, height: 4, width: 4, classes: 3 };
const full = parsePolicy("fp32");
const labels = Int32Array.of(0, 2, 1);

const numbers = (name: string, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => normal(streamKey(3, name, 0, "test"), i));

/** Parameters of generator and discriminator. */
const partsOf = (name: string, task: ImageTask): number[] =>
  ["generator.", "discriminator."].map((part) =>
    countParameters(ganPreset(name).layers(task).filter((layer) => layer.name.startsWith(part))),
  ); // prettier-ignore

describe("parameter counts", () => {
  it("of gan-cifar are those of the reference code, layer by layer", () => {
    const convolution = (from: number, to: number, window: number) => to * (from * window * window + 1);
    const nonLocal = 2 * convolution(128, 16, 1) + convolution(128, 64, 1) + convolution(64, 128, 1) + 1;
    const conditional = (channels: number) => 2 * (100 + 1) * channels;
    const block = (from: number, to: number) => convolution(from, to, 3) + convolution(to, to, 3);
    const enlarging = (from: number, to: number) =>
      block(from, to) + conditional(from) + conditional(to) + (from === to ? 0 : convolution(from, to, 1));
    const generator =
      21 * 4096 + 1001 * 80 + enlarging(256, 256) + enlarging(256, 128) + nonLocal + enlarging(128, 64) + 2 * 64 +
      convolution(64, 3, 3);
    const discriminator =
      block(3, 64) + convolution(3, 64, 1) +
      block(64, 128) + convolution(64, 128, 1) + nonLocal +
      block(128, 256) + convolution(128, 256, 1) + block(256, 256) + 257 + 1000 * 256;
    expect([generator, discriminator]).toEqual([2_183_092, 2_644_130]);
    expect(partsOf("gan-cifar", cifar)).toEqual([generator, discriminator]);
  }); // prettier-ignore

  it("of gan-28 are small", () => {
    expect(partsOf("gan-28", clothes)).toEqual([61_706, 36_142]);
  });
});

it("says which name was meant, and which images do not fit", () => {
  expect(() => ganPreset("gan-cifr")).toThrow(/unknown model "gan-cifr" .*gan-cifar/);
  expect(() => ganPreset("gan-28").layers({ ...clothes, height: 30 })).toThrow(/30×28: sides must divide by 4/);
  expect(() => ganPreset("gan-cifar").layers({ ...cifar, classes: 1001 })).toThrow(/for 1000 classes/);
}); // prettier-ignore

/** The losses of both networks on the same made images. */
function lossesOf(device: Device, model: GanModel, pass: Pass): { readonly d: Tensor; readonly g: Tensor } {
  const { height, width, channels } = model.task;
  const rows = labels.length * height * width;
  const made = model.generate(numbers("noise", labels.length * model.latent), labels, pass);
  const scores = model.discriminate(made, labels, pass);
  const real = device.tensor(numbers("real", rows * channels), [rows, channels]);
  return {
    d: discriminatorHingeLoss(model.discriminate(real, labels, pass), scores),
    g: generatorHingeLoss(scores),
  };
}

describe("gan-mini", () => {
  const training = trainingPass(full, 0, 1, 1);

  it("makes images from -1 to 1 of each class, and scores them", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = ganPreset("gan-mini").build(device, small, 1);
    expect(model.generator.length + model.discriminator.length).toBe(model.parameters.length);
    const images = (classes: Int32Array) =>
      device.step(() => readValues(model.generate(numbers("noise", 3 * model.latent), classes, evaluationPass(full, 1))));
    const first = await images(labels);
    expect(first).toHaveLength(3 * 4 * 4 * 2);
    expect(first.every((x) => x > -1 && x < 1)).toBe(true);
    expect(await images(labels)).toEqual(first);
    expect(await images(Int32Array.of(1, 0, 2))).not.toEqual(first);
    await device.close();
  }); // prettier-ignore

  it.each(["d", "g"] as const)("has the gradient of loss %s, along a random direction", async (which) => {
    const device = new Device(createReferenceBackend());
    const model = ganPreset("gan-mini").build(device, small, 1);
    const loss = () => lossesOf(device, model, training)[which];
    // From orthogonal weights one step brings the states of the spectral norms to singular vectors.
    await device.step(() => void loss());
    const found = await device.step(async () => {
      const gradients = backward(loss());
      return Promise.all(model.parameters.map(({ tensor }) => readTensor(gradients.get(tensor) ?? tensor)));
    });
    for (const [index, parameter] of model.parameters.entries()) {
      const { name, tensor } = parameter;
      const direction = Float64Array.from(numbers(name, sizeOf(tensor.shape)));
      const weights = Float64Array.from(await readTensor(tensor));
      const along = async (by: number): Promise<number> => {
        device.backend.write(tensor.storage.slice(), weights.map((weight, i) => weight + by * direction[i]));
        return device.step(async () => item(loss()));
      };
      const h = 1e-6;
      const numerical = ((await along(h)) - (await along(-h))) / (2 * h);
      await along(0);
      const exact = direction.reduce((sum, d, i) => sum + d * found[index][i], 0);
      expect(Math.abs(exact - numerical), name).toBeLessThan(2e-5 * (1 + Math.abs(numerical)));
    }
  }); // prettier-ignore

  it("learns by gradient steps, its states moving in training alone", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = ganPreset("gan-mini").build(device, small, 1);
    const buffers = async () => (await Promise.all(Object.values(model.buffers).map(readTensor))).map((x) => [...x]);
    const descend = (parameters: readonly Parameter[], which: "d" | "g") =>
      device.step(async () => {
        const loss = lossesOf(device, model, training)[which];
        const value = await item(loss);
        const gradients = backward(loss);
        for (const { tensor } of parameters) {
          const [w, g] = [await readTensor(tensor), await readTensor(gradients.get(tensor) ?? tensor)];
          device.backend.write(tensor.storage.slice(), Float32Array.from(w, (x, i) => x - 0.01 * g[i]));
        }
        return value;
      });
    for (const [which, parameters] of [["d", model.discriminator], ["g", model.generator]] as const) {
      const first = await descend(parameters, which);
      for (let i = 0; i < 4; i++) await descend(parameters, which);
      expect(await descend(parameters, which)).toBeLessThan(first);
    }
    const settled = await buffers();
    await device.step(() => void lossesOf(device, model, evaluationPass(full, 1)));
    expect(await buffers()).toEqual(settled);
    await device.close();
  }); // prettier-ignore

  it.each(["bf16", "lns-madam-8", "mxfp8", "lmd-mxfp6"])("computes in %s what float32 does, nearly", async (preset) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = ganPreset("gan-mini").build(device, small, 1);
    const losses = (precision: string) =>
      device.step(async () => {
        const { d, g } = lossesOf(device, model, trainingPass(parsePolicy(precision), 0, 1, 1));
        return [await item(d), await item(g)];
      });
    const [exact, rounded] = [await losses("fp32"), await losses(preset)];
    for (const [i, loss] of rounded.entries()) expect(Math.abs(loss - exact[i])).toBeLessThan(0.6);
    expect(rounded).not.toEqual(exact);
    await device.close();
  }); // prettier-ignore
});

it.each([
  [3, 7],
  [7, 3],
  [4, 4],
])("orthogonal draws of %i×%i are orthonormal", (rows, columns) => {
  const matrix = orthogonal(streamKey(1, "w", 0, "test"), rows, columns);
  const at = (r: number, c: number) => matrix[r * columns + c];
  const count = Math.min(rows, columns);
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < Math.max(rows, columns); k++)
        dot += rows <= columns ? at(i, k) * at(j, k) : at(k, i) * at(k, j);
      expect(dot).toBeCloseTo(i === j ? 1 : 0, 12);
    }
});

describe("docs/models.md", () => {
  const page = readFileSync(new URL("../../docs/models.md", import.meta.url), "utf8");
  const rows = [
    ...page.matchAll(/^\| `([\w-]+)` +\| (.+?) +\| (\d+)×(\d+)×(\d+), (\d+) +\| +([\d,]+) \| +([\d,]+) \|$/gm),
  ];

  it("lists every GAN but those for tests, with its parameters", () => {
    expect(rows.map(([, name]) => name)).toEqual(
      Object.keys(ganPresets).filter((name) => !name.endsWith("-mini")),
    );
    for (const [, name, summary, ...cells] of rows) {
      const [channels, height, width, classes, ...counts] = cells.map((text) => Number(text.replaceAll(",", "")));
      expect(ganPresets[name].summary).toBe(summary);
      expect(partsOf(name, { channels, height, width, classes })).toEqual(counts);
    }
  });
}); // prettier-ignore
