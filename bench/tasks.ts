/** The work of `task.ts`. */
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { Device } from "../src/tensor/device.ts";
import { measure, sizes, type TaskName } from "./peers/protocol.ts";
import { convnetTraining } from "./work/convnet.ts";
import { squareProduct } from "./work/gemm.ts";
import { GPT, languageTraining, START, type RecipeName } from "./work/language.ts";
import { mlpTraining } from "./work/mlp.ts";
import { squareMxProduct } from "./work/mx-gemm.ts";
import { adamw, gradientOf, optimizerStep } from "./work/optimizer.ts";

type Task = (device: Device, milliseconds: number, recipe: RecipeName) => Promise<void>;

/** A whole training step, with the peak of its buffers. */
const measureSteps = (
  task: string,
  { backend }: Device,
  milliseconds: number,
  { step }: { readonly step: () => Promise<number> },
): Promise<void> => measure(task, milliseconds, step, () => backend.memory.peakBytes);

const tasks: Record<TaskName | "start", Task> = {
  async gemm({ backend }, milliseconds) {
    for (const n of sizes.gemm) {
      const { run } = await squareProduct(backend, n);
      await measure(`gemm ${n}`, milliseconds / sizes.gemm.length, run);
    }
  },
  async "gemm-mx"({ backend }, milliseconds) {
    const { size, formats } = sizes.gemmMx;
    for (const name of formats) {
      const { run } = await squareMxProduct(backend, size, name);
      await measure(`gemm ${name} ${size}`, milliseconds / formats.length, run);
    }
  },
  async gpt(device, milliseconds, recipe) {
    await measureSteps("gpt", device, milliseconds, await languageTraining(device, GPT, recipe));
  },
  async "gpt-mxfp6"(device, milliseconds) {
    const training = await languageTraining(device, GPT, "LMD lmd-mxfp6");
    await measureSteps("gpt-mxfp6", device, milliseconds, training);
  },
  async start(device, milliseconds, recipe) {
    await measureSteps("start", device, milliseconds, await languageTraining(device, START, recipe));
  },
  async mlp(device, milliseconds) {
    await measureSteps("mlp", device, milliseconds, await mlpTraining(device));
  },
  async convnet(device, milliseconds) {
    await measureSteps("convnet", device, milliseconds, await convnetTraining(device));
  },
  async adam(device, milliseconds) {
    const { step } = await optimizerStep(device, adamw, gradientOf(device));
    await measure("adam", milliseconds, step);
  },
};

const [task, threads, milliseconds, recipe = "AdamW float32"] = process.argv.slice(2);
const device = new Device(await createWasmBackend({ threads: Number(threads) }));
await tasks[task as keyof typeof tasks](device, Number(milliseconds), recipe as RecipeName);
await device.close();
