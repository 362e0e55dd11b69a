import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { evaluationPass, trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { parameterCount, type ImageModel, type ImageTask } from "./image-model.ts";
import { imagePreset, imagePresets } from "./image-presets.ts";

const cifar: ImageTask = { channels: 3, height: 32, width: 32, classes: 10 };
const imagenet: ImageTask = { channels: 3, height: 224, width: 224, classes: 1000 };
const small: ImageTask = { channels: 3, height: 8, width: 8, classes: 4 };
const minis = Object.keys(imagePresets).filter((name) => name.endsWith("-mini"));
const full = parsePolicy("fp32");

describe("parameter counts are the published ones", () => {
  it.each([
    ["resnet18-cifar", cifar, 11_173_962], // kuangliu/pytorch-cifar
    ["resnet50", imagenet, 25_557_032], // torchvision
    ["vit-b16", imagenet, 86_567_656], // torchvision
    ["vit-s16", imagenet, 22_050_664], // timm, vit_small_patch16_224
    ["vit-ti16", imagenet, 5_717_416], // timm, vit_tiny_patch16_224
  ] as const)("%s", (name, task, count) => {
    expect(parameterCount(imagePreset(name), task)).toBe(count);
  });

  it("without the batch norms' affine parts: 2 · (64 + 4·64 + 5·128 + 5·256 + 5·512) fewer", () => {
    expect(parameterCount(imagePreset("resnet18-cifar-plain"), cifar)).toBe(11_173_962 - 9_600);
  });
});

it("has PyTorch's names, and buffers beside the parameters", () => {
  const layers = imagePreset("resnet18-cifar").layers(cifar);
  const parameters = layers.flatMap((layer) => Object.values(layer.parameters).map(({ name }) => name));
  const buffers = layers.flatMap((layer) => Object.values(layer.buffers).map(({ name }) => name));
  expect(parameters).toHaveLength(62);
  expect(parameters).toEqual(expect.arrayContaining(["layer2.0.shortcut.0.weight", "linear.bias", "bn1.weight"]));
  expect(buffers).toHaveLength(40);
  expect(buffers).toContain("layer4.1.bn2.running_var");
}); // prettier-ignore

it("says which name was meant", () => {
  expect(() => imagePreset("resnet18")).toThrow(/unknown model "resnet18" .*resnet18-cifar/);
});

const images = (task: ImageTask, batch: number): Float32Array =>
  Float32Array.from({ length: batch * task.height * task.width * task.channels }, (_, i) =>
    normal(streamKey(3, "images", 0, "test"), i),
  );

/** Puts images before a model. */
function scores(device: Device, model: ImageModel, batch: number, training: boolean): Tensor {
  const { channels } = model.task;
  const data = images(model.task, batch);
  const pass = training ? trainingPass(full, 0, 1, 1) : evaluationPass(full, 1);
  return model.logits(device.tensor(data, [data.length / channels, channels]), batch, pass);
}

const lossOf = (device: Device, model: ImageModel, batch: number): Tensor => {
  const labels = Int32Array.from({ length: batch }, (_, i) => i % model.task.classes);
  return crossEntropy(scores(device, model, batch, true), device.tensor(labels, [batch]));
};

describe.each(minis)("%s", (name) => {
  it("gives one logit a class, and learns from a step against the gradient", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = imagePreset(name).build(device, small, 1);
    expect(model.parameters.map((p) => p.name)).toEqual(
      imagePreset(name).layers(small).flatMap(({ parameters }) => Object.values(parameters).map((p) => p.name)),
    );
    const logits = await device.step(() => readTensor(scores(device, model, 6, false)));
    expect(logits).toHaveLength(6 * 4);
    const step = await device.step(async () => {
      const loss = lossOf(device, model, 6);
      const gradients = backward(loss);
      for (const { tensor } of model.parameters) {
        const [weights, gradient] = [await readTensor(tensor), await readTensor(gradients.get(tensor) ?? tensor)];
        device.backend.write(tensor.storage.slice(), Float32Array.from(weights, (w, i) => w - 0.01 * gradient[i]));
      }
      return item(loss);
    });
    const after = await device.step(async () => item(lossOf(device, model, 6)));
    expect(after).toBeLessThan(step);
    await device.close();
  }); // prettier-ignore

  it("has the gradient of its loss, along a random direction of each parameter", async () => {
    const device = new Device(createReferenceBackend());
    const task = { ...small, height: 4, width: 4 };
    const model = imagePreset(name).build(device, task, 1);
    const found = await device.step(async () => {
      const gradients = backward(lossOf(device, model, 3));
      return Promise.all(model.parameters.map(({ tensor }) => readTensor(gradients.get(tensor) ?? tensor)));
    });
    for (const [which, { name: parameter, tensor }] of model.parameters.entries()) {
      const key = streamKey(4, parameter, 0, "direction");
      const direction = Float64Array.from({ length: sizeOf(tensor.shape) }, (_, i) => normal(key, i));
      const weights = Float64Array.from(await readTensor(tensor));
      const along = async (by: number): Promise<number> => {
        const shifted = weights.map((weight, i) => weight + by * direction[i]);
        device.backend.write(tensor.storage.slice(), shifted);
        return device.step(async () => item(lossOf(device, model, 3)));
      };
      const h = 1e-6;
      const numerical = ((await along(h)) - (await along(-h))) / (2 * h);
      await along(0);
      const exact = direction.reduce((sum, d, i) => sum + d * found[which][i], 0);
      expect(Math.abs(exact - numerical), parameter).toBeLessThan(1e-6 * (1 + Math.abs(numerical)));
    }
    await device.close();
  });
});

describe("batch norm in a model", () => {
  it("learns running statistics in training, which evaluation reads and leaves", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = imagePreset("resnet-mini").build(device, small, 1);
    const statistics = () => Promise.all(Object.values(model.buffers).map(readTensor));
    const evaluated = () => device.step(() => readTensor(scores(device, model, 4, false)));
    const [fresh, before] = [await statistics(), await evaluated()];
    expect(await statistics()).toEqual(fresh);
    await device.step(() => scores(device, model, 4, true));
    const learnt = await statistics();
    expect(learnt).not.toEqual(fresh);
    expect(await evaluated()).not.toEqual(before);
    expect(await statistics()).toEqual(learnt);
    await device.close();
  });
});
