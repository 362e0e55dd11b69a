/**
 * Trains small models under LMD and AdamW with given options and prints what each reaches: the figures of
 * docs/optim/lmd.md.
 *
 *   node tools/lmd-ablation.ts <text.txt[.gz]> [--size=small|readme] [--steps=600] [--seed=1] <setting> …
 *
 * A setting is the name of an optimiser and its options, `lmd:lr=0.02,floor=1`; beside them `precision` (a preset),
 * `samples`, `embeddings=exempt` and `batch`. Printed for each, as a line of JSON: validation loss in nats a byte, mean
 * training loss of the last 50 steps, the loss after a quarter of the steps, bytes of state a weight, and the largest |w|.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { sequentialBatches, trainingBatch } from "../src/data/batches.ts";
import { createWasmBackend } from "../src/kernels/wasm/index.ts";
import { model as gpt2 } from "../src/models/gpt2.ts";
import { optimizers } from "../src/optim/optimizers.generated.ts";
import type { Optimizer } from "../src/optim/optimizer.ts";
import type { Options } from "../src/optim/options.ts";
import { parsePolicy } from "../src/precision/parse-policy.ts";
import { Device } from "../src/tensor/device.ts";
import { readValues } from "../src/tensor/tensor.ts";
import { createTrainer } from "../src/train/language-trainer.ts";

const sizes = {
  small: { layers: 2, width: 64, heads: 2, context: 64 },
  readme: { layers: 4, width: 128, heads: 4, context: 128 },
} as const;

const flags = new Map<string, string>();
const rest: string[] = [];
for (const argument of process.argv.slice(2)) {
  const found = /^--(\w+)=(.*)$/.exec(argument);
  if (found) flags.set(found[1], found[2]);
  else rest.push(argument);
}
const [path, ...settings] = rest;
const size = sizes[(flags.get("size") ?? "small") as keyof typeof sizes];
const steps = Number(flags.get("steps") ?? 600);
const threads = Number(flags.get("threads") ?? 1);
const raw = readFileSync(path);
const text = new Uint8Array(path.endsWith(".gz") ? gunzipSync(raw) : raw);
const cut = Math.floor(text.length * 0.9);
const [training, validation] = [text.subarray(0, cut), text.subarray(cut)];

async function run(setting: string): Promise<object> {
  const [name, list = ""] = setting.split(":");
  const given = Object.fromEntries(
    list
      .split(",")
      .filter(Boolean)
      .map((pair) => pair.split("=")),
  );
  const {
    precision = "fp32",
    samples = "1",
    embeddings = "same",
    batch = "8",
    seed = flags.get("seed") ?? "1",
    ...own
  } = given;
  const options: Options = Object.fromEntries(
    Object.entries(own).map(([key, value]) => [
      key,
      Number.isNaN(Number(value)) ? String(value) : Number(value),
    ]),
  );
  const device = new Device(await createWasmBackend({ threads }));
  const model = gpt2.build(device, { ...size, vocabulary: 256, init: "fan-in" }, Number(seed));
  const rows = Number(batch);
  const trainer = await createTrainer({
    device,
    model,
    policy: parsePolicy(precision.startsWith("{") ? JSON.parse(precision.replaceAll(";", ",")) : precision),
    optimizer: (optimizers as Record<string, Optimizer>)[name],
    options,
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.003, beta2: 0.99, weightDecay: 0 },
    exemptEmbeddings: embeddings === "exempt",
    schedule: { name: "cosine", warmup: 0.1, final: 0.1 },
    steps,
    seed: Number(seed),
    dropout: 0,
    gradientClip: 1,
    ...(samples === "1" ? {} : { samples: Number(samples) }),
  });
  const losses: number[] = [];
  const began = performance.now();
  const { context } = size;
  const judge = (): Promise<number> =>
    trainer.evaluate(sequentialBatches(validation, { rows: 8, context, limit: 50 }));
  let quarter = Number.NaN;
  try {
    for (let t = 1; t <= steps; t++) {
      const { loss } = await trainer.step(
        trainingBatch(training, { seed: Number(seed), step: t, rows, context }),
        t,
      );
      losses.push(loss);
      if (t === Math.floor(steps / 4)) quarter = await judge();
    }
    const loss = await judge();
    const largest = await trainer.evaluating(async () => {
      const all = await Promise.all(
        model.parameters.filter(({ kind }) => kind === "matrix").map(({ tensor }) => readValues(tensor)),
      );
      let most = 0;
      for (const values of all) for (const x of values) most = Math.max(most, Math.abs(x));
      return most;
    });
    return {
      setting,
      loss: Number(loss.toFixed(4)),
      train: Number((losses.slice(-50).reduce((a, b) => a + b, 0) / 50).toFixed(4)),
      quarter: Number(quarter.toFixed(4)),
      bytes: Number((trainer.stateBytes / trainer.parameterCount).toFixed(2)),
      largest: Number(largest.toPrecision(3)),
      seconds: Math.round((performance.now() - began) / 1000),
    };
  } finally {
    await device.close();
  }
}

for (const setting of settings) {
  try {
    console.log(JSON.stringify(await run(setting)));
  } catch (error) {
    console.log(JSON.stringify({ setting, error: String(error).slice(0, 200) }));
  }
}
