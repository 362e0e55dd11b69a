/** Training steps of classifiers: a perceptron 784-1024-1024-10 and a convolutional network 3-32-64-64. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Policy } from "../../src/precision/policy.ts";
import { presets } from "../../src/precision/presets.ts";
import { Device } from "../../src/tensor/device.ts";
import { sizes } from "../peers/protocol.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { ownTask } from "../task-process.ts";
import { interleave, median, pairedRatio } from "../timing.ts";
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
  readonly training: (device: Device, policy?: Policy) => Promise<ClassifierTraining>;
  /** What is counted, and how many of them a step has. */
  readonly unit: "steps/s" | "images/s";
  readonly perStep: number;
  readonly target: Target;
  /** Formats of the products' operands besides float32, by the names of their rows. */
  readonly policies?: Readonly<Record<string, Policy>>;
}

/** All formats, step by step in turns. */
async function speedRows(subject: Subject, context: Context): Promise<Row[]> {
  const { name, training, target, policies = {} } = subject;
  const devices: Device[] = [];
  const open = async (policy?: Policy): Promise<ClassifierTraining> => {
    const device = new Device(await createWasmBackend({ threads: context.threads }));
    devices.push(device);
    return training(device, policy);
  };
  const first = await open();
  const others = [];
  for (const policy of Object.values(policies)) others.push(await open(policy));
  const [times, ...otherTimes] = await interleave([first, ...others].map(({ step }) => step), {
    samples: context.quick ? 10 : 60,
    milliseconds: 0,
    warmUp: 5,
  });
  for (const device of devices) await device.close();
  return [
    ...stepRows(subject, WHAT, times, onTwoThreads(context, target)),
    { name: `${name} state, ${WHAT}`, value: first.bytesPerParameter, unit: "bytes/parameter" },
    ...Object.keys(policies).flatMap((what, i): Row[] => [
      ...stepRows(subject, what, otherTimes[i]),
      { name: `${name}, ${what}, against float32`, value: pairedRatio(times, otherTimes[i]), unit: "×" },
    ]),
  ];
} // prettier-ignore

function stepRows(
  { name, unit, perStep }: Subject,
  what: string,
  times: readonly number[],
  target: { readonly target?: Target } = {},
): Row[] {
  const [milliseconds, least] = [median(times), Math.min(...times)];
  const rate = (time: number): number => (perStep * 1000) / time;
  return [
    { name: `${name} step, ${what}`, value: milliseconds, best: least, unit: "ms" },
    { name: `${name} speed, ${what}`, value: rate(milliseconds), best: rate(least), unit, ...target },
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

const bothPasses = (format: string): Policy =>
  parsePolicy({ weight: format, activation: format, error: format, passes: "both" });

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
  policies: {
    "mxfp4 forward": presets["lmd-mxfp4"],
    "mxfp6 forward": presets["lmd-mxfp6"],
    "mxfp4 both passes": bothPasses("mxfp4-e2m1"),
    "mxfp6 both passes": bothPasses("mxfp6-e2m3"),
  },
});
