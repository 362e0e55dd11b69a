/**
 * Our side of a comparison, in a process of its own: so its peak memory is that of the task alone.
 *
 *   node dist/bench/task.js <gemm|gpt|mlp|adam> <threads> <milliseconds> [recipe]
 */
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { Device } from "../src/tensor/device.ts";
import { measure, sizes, type TaskName } from "./peers/protocol.ts";
import { squareProduct } from "./work/gemm.ts";
import { GPT, languageTraining, START, type RecipeName } from "./work/language.ts";
import { mlpTraining } from "./work/mlp.ts";
import { adamw, gradientOf, optimizerStep } from "./work/optimizer.ts";

type Task = (device: Device, milliseconds: number, recipe: RecipeName) => Promise<void>;

const tasks: Record<TaskName | "start", Task> = {
  async gemm({ backend }, milliseconds) {
    for (const n of sizes.gemm) {
      const { run } = await squareProduct(backend, n);
      await measure(`gemm ${n}`, milliseconds / sizes.gemm.length, run);
    }
  },
  async gpt(device, milliseconds, recipe) {
    const { step } = await languageTraining(device, GPT, recipe);
    await measure("gpt", milliseconds, step);
  },
  async start(device, milliseconds, recipe) {
    const { step } = await languageTraining(device, START, recipe);
    await measure("start", milliseconds, step);
  },
  async mlp(device, milliseconds) {
    await measure("mlp", milliseconds, await mlpTraining(device));
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
