/**
 * Trains small models under LMD and AdamW with given options and prints what each reaches: the figures of
 * docs/optim/lmd.md.
 *
 *   node tools/lmd-ablation.ts text <file[.gz]> [--size=small|readme] [--steps=600] [--seed=1] <setting> …
 *   node tools/lmd-ablation.ts images <folder> [--steps=600] [--seed=1] <setting> …
 *
 * A setting is the name of an optimiser and its options, `lmd:lr=0.02,floor=0.125`; beside them `precision` (a preset),
 * `samples`, `batch` and `embeddings=exempt`. A line of JSON each: validation loss in nats (and accuracy of images), mean
 * training loss of the last 50 steps, loss after a quarter of the steps, bytes of state a weight, the largest |w|.
 *
 * `text`: GPT-2 on the first 90 % of a text, judged on 50 batches of the rest. `images`: an MLP 784-256-10 on
 * Fashion-MNIST in the folder of its four IDX files, judged on the test set. Cosine to a tenth, a tenth of warm-up,
 * gradients clipped to norm 1, biases and norms under AdamW in both.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { sequentialBatches, trainingBatch } from "../src/data/batches.ts";
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { model as gpt2 } from "../src/models/gpt2.ts";
import { mlp } from "../src/models/mlp.ts";
import { evaluationPass, trainingPass } from "../src/nn/pass.ts";
import { crossEntropy } from "../src/ops/cross-entropy.ts";
import { squaredNorm } from "../src/ops/squared-norm.ts";
import { optimizers } from "../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import type { Options } from "../src/optim/options.ts";
import { learningRateFactor } from "../src/optim/schedules.ts";
import { parsePolicy } from "../src/precision/parse-policy.ts";
import type { Policy } from "../src/precision/policy.ts";
import { philox4x32 } from "../src/random/philox.ts";
import { Device } from "../src/tensor/device.ts";
import type { Parameter } from "../src/tensor/parameter.ts";
import { backward } from "../src/tensor/tape.ts";
import { item, readValues } from "../src/tensor/tensor.ts";
import { GradientSum } from "../src/train/gradient-sum.ts";
import { createTrainer } from "../src/train/language-trainer.ts";
import { createGroups } from "../src/train/parameter-groups.ts";

const sizes = {
  small: { layers: 2, width: 64, heads: 2, context: 64 },
  readme: { layers: 4, width: 128, heads: 4, context: 128 },
} as const;
const schedule = { name: "cosine", warmup: 0.1, final: 0.1 } as const;
const CLIP = 1;

const flags = new Map<string, string>();
const words: string[] = [];
for (const argument of process.argv.slice(2)) {
  const found = /^--(\w+)=(.*)$/.exec(argument);
  if (found) flags.set(found[1], found[2]);
  else words.push(argument);
}
const [task, path, ...settings] = words;
const steps = Number(flags.get("steps") ?? 600);
const seed = Number(flags.get("seed") ?? 1);
const threads = Number(flags.get("threads") ?? 1);

interface Setting {
  readonly policy: Policy;
  readonly samples: number;
  readonly batch: number | null;
  /** What `createGroups` wants of rules. */
  readonly rules: {
    readonly optimizer: Optimizer;
    readonly options: Options;
    readonly exemptOptimizer: Optimizer;
    readonly exemptOptions: Options;
    readonly exemptEmbeddings: boolean;
  };
}

function parse(text: string): Setting {
  const [name, list = ""] = text.split(":");
  const pairs = list
    .split(",")
    .filter(Boolean)
    .map((pair): [string, string] => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    });
  const { precision = "fp32", samples = "1", embeddings, batch, ...own } = Object.fromEntries(pairs);
  const options = Object.entries(own).map(([key, value]) => [
    key,
    /^[\d.e-]+$/.test(value) ? Number(value) : value,
  ]);
  return {
    policy: parsePolicy(precision),
    samples: Number(samples),
    batch: batch === undefined ? null : Number(batch),
    rules: {
      optimizer: (optimizers as Record<string, Optimizer>)[name],
      options: Object.fromEntries(options) as Options,
      exemptOptimizer: optimizers.adamw,
      exemptOptions: { lr: 0.003, beta2: 0.99, weightDecay: 0 },
      exemptEmbeddings: embeddings === "exempt",
    },
  };
}

const rounded = (x: number): number => Number(x.toFixed(4));
const lastOf = (losses: readonly number[]): number =>
  rounded(losses.slice(-50).reduce((a, b) => a + b, 0) / Math.min(50, losses.length));

async function largestOf(parameters: readonly Parameter[]): Promise<number> {
  let most = 0;
  for (const { kind, tensor } of parameters)
    if (kind === "matrix") for (const x of await readValues(tensor)) most = Math.max(most, Math.abs(x));
  return Number(most.toPrecision(3));
}

const opened = (file: string): Uint8Array => {
  const bytes = readFileSync(file);
  return new Uint8Array(file.endsWith(".gz") ? gunzipSync(bytes) : bytes);
};

function textTask(): (setting: Setting, device: Device) => Promise<object> {
  const size = sizes[(flags.get("size") ?? "small") as keyof typeof sizes];
  const { context } = size;
  const text = opened(path);
  const cut = Math.floor(text.length * 0.9);
  const [training, validation] = [text.subarray(0, cut), text.subarray(cut)];
  return async ({ policy, samples, batch, rules }, device) => {
    const model = gpt2.build(device, { ...size, vocabulary: 256, init: "fan-in" }, seed);
    const trained = { ...rules, device, model, policy, schedule, steps, seed, samples };
    const trainer = await createTrainer({ ...trained, dropout: 0, gradientClip: CLIP });
    const judge = async (): Promise<number> =>
      (await trainer.evaluate(sequentialBatches(validation, { rows: 8, context, limit: 50 }))).loss;
    const losses: number[] = [];
    let quarter = Number.NaN;
    for (let t = 1; t <= steps; t++) {
      const drawn = trainingBatch(training, { seed, step: t, rows: batch ?? 8, context });
      losses.push((await trainer.step(drawn, t)).loss);
      if (t === Math.floor(steps / 4)) quarter = await judge();
    }
    return {
      loss: rounded(await judge()),
      train: lastOf(losses),
      quarter: rounded(quarter),
      bytes: Number((trainer.stateBytes / trainer.parameterCount).toFixed(2)),
      largest: await trainer.evaluating(() => largestOf(model.parameters)),
    };
  };
}

interface Images {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}
const PIXELS = 784;

function imagesTask(): (setting: Setting, device: Device) => Promise<object> {
  const part = (name: string): Images => ({
    pixels: opened(join(path, `${name}-images-idx3-ubyte.gz`)).subarray(16),
    labels: opened(join(path, `${name}-labels-idx1-ubyte.gz`)).subarray(8),
  });
  const [training, test] = [part("train"), part("t10k")];
  return async ({ policy, samples, batch, rules }, device) => {
    const { parameters, logits } = mlp(device, [PIXELS, 256, 10], seed);
    const groups = await createGroups({ ...rules, parameters, policy, seed });
    const scores = (
      { pixels, labels }: Images,
      rows: readonly number[],
      pass: ReturnType<typeof trainingPass>,
    ) => {
      const x = Float32Array.from({ length: rows.length * PIXELS }, (_, i) => {
        const row = rows[Math.floor(i / PIXELS)];
        return pixels[row * PIXELS + (i % PIXELS)] / 127.5 - 1;
      });
      const classes = Int32Array.from(rows, (row) => labels[row]);
      const out = logits(device.tensor(x, [rows.length, PIXELS]), pass);
      return { out, classes, loss: crossEntropy(out, device.tensor(classes, [rows.length])) };
    };
    const rowsAt = (t: number): number[] =>
      Array.from(
        { length: batch ?? 64 },
        (_, i) => philox4x32([i, t, 0, 0], [seed, 7])[0] % training.labels.length,
      );
    const losses: number[] = [];
    for (let t = 1; t <= steps; t++) losses.push(await step(t));
    for (const group of groups) group.materialise({ t: steps, lrFactor: 1, sample: null });
    const result = await judge();
    return { ...result, train: lastOf(losses), largest: await largestOf(parameters) };

    async function step(t: number): Promise<number> {
      const lrFactor = learningRateFactor(schedule, t, steps);
      return device.step(async () => {
        const sum = new GradientSum(parameters);
        let loss = 0;
        for (let sample = 0; sample < samples; sample++) {
          for (const group of groups) group.materialise({ t, lrFactor, sample });
          const one = scores(training, rowsAt(t), trainingPass(policy, 0, seed, t)).loss;
          sum.add(backward(one));
          loss += (await item(one)) / samples;
        }
        const gradients = sum.total();
        let squares = 0;
        for (const gradient of gradients.values()) squares += await item(squaredNorm(gradient));
        const gain = Math.min(1, CLIP / (Math.sqrt(squares) / samples)) / samples;
        for (const group of groups) group.step(gradients, { t, lrFactor, gain, sample: samples - 1 });
        return loss;
      });
    }

    async function judge(): Promise<{ loss: number; accuracy: number }> {
      let [loss, right] = [0, 0];
      for (let from = 0; from < 10_000; from += 500) {
        const rows = Array.from({ length: 500 }, (_, i) => from + i);
        await device.step(() =>
          device.tape.without(async () => {
            const judged = scores(test, rows, evaluationPass(policy, seed));
            loss += (await item(judged.loss)) / 20;
            const values = await readValues(judged.out);
            for (let row = 0; row < 500; row++) {
              const mine = Array.from(values.subarray(row * 10, row * 10 + 10), Number);
              if (mine.indexOf(Math.max(...mine)) === judged.classes[row]) right++;
            }
          }),
        );
      }
      return { loss: rounded(loss), accuracy: right / 10_000 };
    }
  };
}

const run = task === "images" ? imagesTask() : textTask();
for (const setting of settings) {
  const device = new Device(await createWasmBackend({ threads }));
  try {
    console.log(JSON.stringify({ setting, ...(await run(parse(setting), device)) }));
  } catch (error) {
    console.log(JSON.stringify({ setting, error: String(error) }));
  } finally {
    await device.close();
  }
}
