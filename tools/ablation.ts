/**
 * Trains small models under any optimiser and precision and prints what each reaches: the figures of docs/optim/lmd.md
 * and docs/optim/rung.md.
 *
 *   node tools/ablation.ts text <file[.gz]> [--size=small|readme] [--steps=600] [--seeds=1,2,3] <setting> …
 *   node tools/ablation.ts mlp|vit <folder of Fashion-MNIST> [--steps=600] [--seeds=1] <setting> …
 *
 * A setting is an optimiser with what is changed, `rung:lr=0.006,precision=rung8,precision.activation=null`; see
 * `parseSetting`. A line of JSON each: validation loss in nats (and accuracy of images), mean over the seeds and of each;
 * then means over the seeds of the loss of the last 50 training steps, the validation loss after a quarter of the steps
 * and the bytes of state a parameter, and the largest |w| of a matrix.
 *
 * Cosine to a tenth, a tenth of warm-up, gradients clipped to norm 1, no dropout, biases and norms under AdamW.
 */
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { Device } from "../src/tensor/device.ts";
import { readValues } from "../src/tensor/tensor.ts";
import { stringifyNumbers } from "../src/train/json.ts";
import { parseSetting } from "./ablation/setting.ts";
import { type Experiment, sizeNames, type Task, tasks } from "./ablation/tasks.ts";

const schedule = { name: "cosine", warmup: 0.1, final: 0.1 } as const;

const flags = new Map<string, string>();
const words: string[] = [];
for (const argument of process.argv.slice(2)) {
  const [, key, value] = /^--(\w+)=(.*)$/.exec(argument) ?? [];
  if (key === undefined) words.push(argument);
  else flags.set(key, value);
}
const [name, path, ...settings] = words;
const steps = Number(flags.get("steps") ?? 600);
const seeds = (flags.get("seeds") ?? "1").split(",").map(Number);
const threads = Number(flags.get("threads") ?? 1);
const size = sizeNames.find((known) => known === (flags.get("size") ?? "small"));
if (!Object.hasOwn(tasks, name) || path === undefined || size === undefined) {
  console.error(
    `usage: node tools/ablation.ts ${Object.keys(tasks).join("|")} <path> <setting> …; see its first lines`,
  );
  process.exit(2);
}

interface Outcome {
  readonly loss: number;
  readonly accuracy?: number;
  readonly train: number;
  readonly quarter: number;
  readonly bytes: number;
  readonly largest: number;
}

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const rounded = (x: number, digits = 4): number => Number(x.toFixed(digits));

/** Trains one model to its end. */
async function outcomeOf({ trainer, feed }: Experiment): Promise<Outcome> {
  const losses: number[] = [];
  let quarter = Number.NaN;
  for (let t = 1; t <= steps; t++) {
    losses.push((await trainer.step(await feed.training(t), t)).loss);
    if (t === Math.floor(steps / 4)) quarter = (await trainer.evaluate(feed.validation())).loss;
  }
  return {
    ...(await trainer.evaluate(feed.validation())),
    train: meanOf(losses.slice(-50)),
    quarter,
    bytes: trainer.stateBytes / trainer.parameterCount,
    largest: await trainer.evaluating(() => largestWeight(trainer.model)),
  };
}

async function largestWeight({ parameters }: Experiment["trainer"]["model"]): Promise<number> {
  let most = 0;
  for (const { kind, tensor } of parameters)
    if (kind === "matrix") for (const x of await readValues(tensor)) most = Math.max(most, Math.abs(x));
  return most;
}

/** One seed of a setting, on a device of its own. */
async function run(task: Task, setting: string, seed: number): Promise<Outcome> {
  const device = new Device(await createWasmBackend({ threads }));
  const common = { device, schedule, steps, seed, dropout: 0, gradientClip: 1 };
  try {
    return await outcomeOf(await task({ ...common, ...parseSetting(setting) }));
  } finally {
    await device.close();
  }
}

/** Means over the seeds; of loss and accuracy each seed's too. */
function summary(outcomes: readonly Outcome[]) {
  const of = (key: keyof Outcome): number[] => outcomes.map((outcome) => outcome[key] ?? Number.NaN);
  const judged = outcomes[0].accuracy !== undefined;
  return {
    loss: rounded(meanOf(of("loss"))),
    losses: of("loss").map((x) => rounded(x)),
    ...(judged && { accuracy: rounded(meanOf(of("accuracy"))), accuracies: of("accuracy") }),
    train: rounded(meanOf(of("train"))),
    quarter: rounded(meanOf(of("quarter"))),
    bytes: rounded(meanOf(of("bytes")), 2),
    largest: Number(Math.max(...of("largest")).toPrecision(3)),
  };
}

const task = await tasks[name](path, size);
for (const setting of settings) {
  try {
    const outcomes: Outcome[] = [];
    for (const seed of seeds) outcomes.push(await run(task, setting, seed));
    console.log(stringifyNumbers({ setting, ...summary(outcomes) }));
  } catch (error) {
    console.log(JSON.stringify({ setting, error: String(error) }));
  }
}
