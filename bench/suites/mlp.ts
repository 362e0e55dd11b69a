/** Training steps of a perceptron 784-1024-1024-10. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Suite } from "../suite.ts";
import { interleave, median } from "../timing.ts";
import { mlpTraining } from "../work/mlp.ts";

export const suite: Suite = {
  name: "mlp",
  summary: "step of a perceptron 784-1024-1024-10, batch 128, AdamW float32",
  byDefault: true,
  async run({ threads, quick }) {
    const device = new Device(await createWasmBackend({ threads }));
    const step = await mlpTraining(device);
    const [times] = await interleave([step], { samples: quick ? 10 : 60, milliseconds: 0, warmUp: 5 });
    await device.close();
    const [milliseconds, least] = [median(times), Math.min(...times)];
    return [
      { name: "mlp step, AdamW float32", value: milliseconds, best: least, unit: "ms" },
      { name: "mlp speed, AdamW float32", value: 1000 / milliseconds, best: 1000 / least, unit: "steps/s" },
    ];
  },
};
