/** Training steps of classifiers: a perceptron 784-1024-1024-10 and a convolutional network 3-32-64-64. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { sizes } from "../peers/protocol.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { ownTask } from "../task-process.ts";
import { interleave, median } from "../timing.ts";
import type { ClassifierTraining } from "../work/classifier.ts";
import { convnetTraining } from "../work/convnet.ts";
import { mlpTraining } from "../work/mlp.ts";
import { memoryRows } from "./own-process.ts";

const WHAT = "Adam float32";

/** A classifier to time. */
interface Subject {
  /** The suite's name, and the task's that measures memory. */
  readonly name: "mlp" | "convnet";
  readonly summary: string;
  readonly training: (device: Device) => Promise<ClassifierTraining>;
  /** What is counted, and how many of them a step has. */
  readonly unit: "steps/s" | "images/s";
  readonly perStep: number;
  readonly target: Target;
}

async function speedRows(
  { name, training, unit, perStep, target }: Subject,
  context: Context,
): Promise<Row[]> {
  const device = new Device(await createWasmBackend({ threads: context.threads }));
  const { step, bytesPerParameter } = await training(device);
  const [times] = await interleave([step], {
    samples: context.quick ? 10 : 60,
    milliseconds: 0,
    warmUp: 5,
  });
  await device.close();
  const [milliseconds, least] = [median(times), Math.min(...times)];
  const rate = (time: number): number => (perStep * 1000) / time;
  return [
    { name: `${name} step, ${WHAT}`, value: milliseconds, best: least, unit: "ms" },
    {
      name: `${name} speed, ${WHAT}`,
      value: rate(milliseconds),
      best: rate(least),
      unit,
      ...onTwoThreads(context, target),
    },
    { name: `${name} state, ${WHAT}`, value: bytesPerParameter, unit: "bytes/parameter" },
  ];
}

function suiteOf(subject: Subject): Suite {
  const { name, summary } = subject;
  const run = async (context: Context): Promise<Row[]> => {
    const rows = await speedRows(subject, context);
    const command = ownTask(name, context.threads, context.quick ? 1500 : 4000);
    return [...rows, ...(await memoryRows(name, WHAT, command))];
  };
  return { name, summary, byDefault: true, run };
}

export const mlp = suiteOf({
  name: "mlp",
  summary: "step of a perceptron 784-1024-1024-10, batch 128, Adam float32",
  training: mlpTraining,
  unit: "steps/s",
  perStep: 1,
  target: { atLeast: 80 },
});
export const convnet = suiteOf({
  name: "convnet",
  summary: "step of a convolutional network 3-32-64-64 on 32×32 images, batch 64, Adam float32",
  training: convnetTraining,
  unit: "images/s",
  perStep: sizes.convnet.batch,
  target: { atLeast: 2000 },
});
