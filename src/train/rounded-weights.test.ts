import { afterEach, describe, expect, it } from "vitest";
import { trainingBatch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { createTrainer } from "./language-trainer.ts";

const sizes = { vocabulary: 64, context: 8, layers: 2, width: 32, heads: 2, init: "fan-in" } as const;
const text = new TextEncoder().encode("a weight stands on one rung. ".repeat(20)).map((byte) => byte % 64);
const batch = (t: number) => trainingBatch(text, { seed: 1, step: t, rows: 4, context: 8 });
/** Matrices of two blocks, and the output, which reads the table of symbols. */
const MATRICES = 9;

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

interface Case {
  readonly policy: unknown;
  readonly optimizer?: keyof typeof optimizers;
  readonly accumulate?: number;
  readonly recompute?: boolean;
  /** Rounds at every use, as if nothing were kept. */
  readonly forgetful?: boolean;
}

/** Three steps and a validation: the weights at the end, and how often a step and the validation rounded to codes. */
async function train({ policy, optimizer = "adamw", accumulate = 1, recompute = false, forgetful }: Case) {
  const backend = await createWasmBackend({ threads: 1 });
  const device = new Device(backend);
  open.push(device);
  if (forgetful) device.roundedWeights.find = () => null;
  const model = gpt2(device, { ...sizes, recompute }, 1);
  const trainer = await createTrainer({
    device,
    model,
    policy: parsePolicy(policy),
    optimizer: optimizers[optimizer],
    options: { lr: 0.02 },
    exemptOptimizer: optimizers.adamw,
    exemptOptions: { lr: 0.02 },
    exemptEmbeddings: false,
    schedule: { name: "constant", warmup: 0, final: 1 },
    steps: 10,
    seed: 1,
    dropout: 0,
    gradientClip: null,
    accumulate,
  });
  let roundings = 0;
  const run = backend.run.bind(backend);
  backend.run = (executable, call) => {
    if (executable.kernel.name.startsWith("quantise")) roundings++;
    run(executable, call);
  };
  const counts: number[] = [];
  const losses: number[] = [];
  for (let t = 1; t <= 3; t++) {
    losses.push((await trainer.step(batch(t), t)).loss);
    counts.push(roundings);
    roundings = 0;
  }
  losses.push((await trainer.evaluate([batch(9)])).loss);
  const weights: number[][] = [];
  for (const tensor of Object.values(trainer.tensors())) weights.push(Array.from(await readTensor(tensor)));
  return { counts, results: { losses, weights } };
}

const nearest = (format: string, scale: string) => ({ format, rounding: "nearest-even", scale });
const blocks = nearest("mxfp6-e2m3", "block");
const codes = nearest("fp8-e4m3", "channel");

const cases: readonly (readonly [string, Case, number, number])[] = [
  ["codes for both passes", { policy: { weight: codes } }, 1, 2],
  ["codes for the forward pass", { policy: { weight: codes, passes: "forward-only" } }, 1, 1],
  ["codes in four parts of a batch", { policy: { weight: codes }, accumulate: 4 }, 1, 8],
  ["blocks along two axes", { policy: { weight: blocks } }, 2, 2],
  ["blocks in four parts of a batch", { policy: { weight: blocks }, accumulate: 4 }, 2, 8],
  ["blocks for the forward pass, in parts", { policy: { weight: blocks, passes: "forward-only" }, accumulate: 2 }, 1, 2],
  ["blocks of stored codes", { policy: { preset: "state8", weight: blocks }, optimizer: "rung", accumulate: 2 }, 2, 4],
]; // prettier-ignore

describe("weights are rounded once a step", () => {
  it.each(cases)("to %s", async (_, spec, often, withoutKeeping) => {
    const kept = await train(spec);
    const forgetful = await train({ ...spec, forgetful: true });
    expect(kept.counts).toEqual(Array(3).fill(often * MATRICES));
    expect(forgetful.counts).toEqual(Array(3).fill(withoutKeeping * MATRICES));
    expect(kept.results).toEqual(forgetful.results);
  });

  it("where blocks are computed again", async () => {
    const spec = { policy: { weight: blocks }, recompute: true };
    const kept = await train(spec);
    const forgetful = await train({ ...spec, forgetful: true });
    expect(kept.counts).toEqual(Array(3).fill(2 * MATRICES));
    expect(forgetful.counts).toEqual(Array(3).fill(2 * MATRICES + (MATRICES - 1)));
    expect(kept.results).toEqual(forgetful.results);
    expect((await train({ policy: { weight: blocks } })).results).toEqual(kept.results);
  });

  it("but for each draw, where weights are drawn, and at each use, where rounding is", async () => {
    const drawn = await train({ policy: { weight: codes }, optimizer: "lmd", accumulate: 2 });
    expect(drawn.counts).toEqual(Array(3).fill(2 * MATRICES));
    const stochastic = { ...codes, rounding: "stochastic" };
    const random = await train({ policy: { weight: stochastic } });
    expect(random.counts).toEqual(Array(3).fill(2 * MATRICES));
  });
});
