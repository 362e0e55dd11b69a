import { afterAll, beforeAll, expect, it } from "vitest";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import { trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "./device.ts";
import { backward } from "./tape.ts";
import { item, readTensor } from "./tensor.ts";

let device: Device;
beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1 }));
});
afterAll(() => device.close());

const config = { vocabulary: 17, context: 16, layers: 3, width: 32, heads: 2, init: "fan-in" } as const;

/** Loss, gradients by name, and the bytes that the forward pass leaves behind. */
async function train(recompute: boolean, precision: string) {
  const model = gpt2(device, { ...config, recompute }, 3);
  const ids = Int32Array.from({ length: 64 }, (_, i) => (i * 7) % 17);
  const result = await device.step(async () => {
    const pass = trainingPass(parsePolicy(precision), 0.1, 5, 1);
    const tokens = device.tensor(ids, [64]);
    const loss = crossEntropy(model.logits(tokens, 4, pass), tokens);
    const kept = device.stepBytes;
    const found = backward(loss);
    const gradients = await Promise.all(
      model.parameters.map(async ({ name, tensor }) => {
        const gradient = found.get(tensor);
        return [name, gradient ? Array.from(await readTensor(gradient)) : null] as const;
      }),
    );
    return { loss: await item(loss), kept, gradients };
  });
  for (const { tensor } of model.parameters) device.free(tensor);
  return result;
}

it.each(["fp32", "lns-madam-8", "mxfp8"])(
  "computes the same loss and gradients again, bit for bit, and keeps less: %s",
  async (precision) => {
    const [straight, again] = [await train(false, precision), await train(true, precision)];
    expect(again.loss).toBe(straight.loss);
    expect(again.gradients).toEqual(straight.gradients);
    expect(again.gradients.every(([, values]) => values !== null)).toBe(true);
    expect(again.kept).toBeLessThan(0.6 * straight.kept);
  },
);

it("gives each part's result back when the backward pass is through it", async () => {
  const heights: number[] = [];
  for (const layers of [2, 6]) {
    const own = new Device(await createWasmBackend({ threads: 1, features: { shared: false } }));
    const model = gpt2(own, { ...config, layers, recompute: true }, 3);
    const before = own.backend.memory.bytes;
    await own.step(async () => {
      const tokens = own.tensor(new Int32Array(64), [64]);
      const pass = trainingPass(parsePolicy("fp32"), 0, 5, 1);
      const gradients = backward(crossEntropy(model.logits(tokens, 4, pass), tokens));
      const held = [...gradients.values()].reduce((sum, { storage }) => sum + storage.bytes, 0);
      heights.push(own.backend.memory.bytes - before - held);
    });
    await own.close();
  }
  // What is left besides the gradients, scratch memory of kernels, does not grow with the parts.
  expect(heights[1] - heights[0]).toBeLessThan(64 * config.width * 4);
});

it("leaves nothing behind", async () => {
  await train(true, "fp32");
  const before = device.backend.memory.bytes;
  await train(true, "fp32");
  expect(device.backend.memory.bytes).toBe(before);
});
