import { describe, expect, it } from "vitest";
import { trainingBatch, type Batch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Heap } from "../kernels/wasm/memory.ts";
import { gpt2 } from "../models/gpt2.ts";
import type { Pass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { createTrainer, languageTask } from "./language-trainer.ts";
import { createTaskTrainer, type TrainingOptions } from "./trainer.ts";

const text = new TextEncoder().encode("a weight stands on one rung. ".repeat(20)).map((byte) => byte % 64);

/** Keeps books of its own of every buffer: those of tensors, workspaces, constants, argument blocks. */
function audited(heap: Heap): { readonly most: number; readonly now: number } {
  const books = { most: 0, now: heap.bytes };
  const allocate = heap.allocate.bind(heap);
  const release = heap.release.bind(heap);
  heap.allocate = (bytes) => {
    const buffer = allocate(bytes);
    books.now += bytes;
    books.most = Math.max(books.most, books.now);
    return buffer;
  };
  heap.release = (buffer) => {
    release(buffer);
    books.now -= buffer.bytes;
  };
  return books;
}

const optionsOf = (device: Device, preset: string): TrainingOptions => ({
  device,
  policy: parsePolicy(preset),
  optimizer: preset === "rung8" ? optimizers.rung : optimizers.adamw,
  options: {},
  exemptOptimizer: optimizers.adamw,
  exemptOptions: {},
  exemptEmbeddings: false,
  schedule: { name: "constant", warmup: 0, final: 1 },
  steps: 10,
  seed: 1,
  dropout: 0.1,
  gradientClip: 1,
});

it.each(["fp32", "rung8", "mxfp8"])(
  "the peak that a backend tells is that of its buffers, and little more memory is touched: %s",
  async (preset) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const { memory } = device.backend;
    if (!(memory instanceof Heap)) throw new Error("the wasm backend tells of its heap");
    const books = audited(memory);
    const sizes = { vocabulary: 64, context: 32, layers: 3, width: 64, heads: 2, init: "fan-in" } as const;
    const trainer = await createTrainer({ ...optionsOf(device, preset), model: gpt2(device, sizes, 1) });
    const step = (t: number) =>
      trainer.step(trainingBatch(text, { seed: 1, step: t, rows: 8, context: 32 }), t);
    await step(1);
    await step(2);
    expect([memory.peakBytes, memory.bytes]).toEqual([books.most, books.now]);
    expect(memory.reached).toBeLessThan(1.35 * memory.peakBytes);
    const { reached, peakBytes } = memory;
    for (let t = 3; t <= 8; t++) await step(t);
    expect([memory.peakBytes, memory.reached]).toEqual([peakBytes, reached]);
    await device.close();
  },
);

describe("a language model of many symbols", () => {
  const [vocabulary, rows, context] = [16_500, 12, 64];
  const sizes = { vocabulary, context, layers: 1, width: 8, heads: 1, init: "fan-in" } as const;
  const inputs = Int32Array.from({ length: rows * context }, (_, i) => (i * 7919) % vocabulary);
  const batch: Batch = { rows, context, inputs, targets: inputs.map((id) => (id + 1) % vocabulary) };
  const bytesOfRows = (count: number): number => 4 * vocabulary * count;

  /** Losses of a step and of a validation after it, and the peaks of tensors by then. */
  async function run(preset: string, whole: boolean, accumulate = 1) {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const model = gpt2(device, sizes, 1);
    const task = languageTask(device, model);
    const loss = (part: Batch, pass: Pass) => {
      const tokens = [part.rows * context];
      const logits = model.logits(device.tensor(part.inputs, tokens), part.rows, pass);
      return crossEntropy(logits, device.tensor(part.targets, tokens));
    };
    const options = { ...optionsOf(device, preset), accumulate };
    const trainer = await createTaskTrainer({ ...options, task: whole ? { ...task, loss } : task });
    const { memory } = device.backend;
    const losses = [(await trainer.step(batch, 1)).loss];
    const peak = memory.peakBytes;
    losses.push((await trainer.evaluate([batch])).loss);
    const judged = memory.peakBytes;
    await device.close();
    return { losses, peak, judged };
  }

  it.each(["fp32", "rung8"])("never holds all of its logits: %s", async (preset) => {
    const [whole, chunked] = [await run(preset, true), await run(preset, false)];
    // All but 256 of the rows' logits.
    const spared = bytesOfRows(rows * context - 256);
    expect(whole.peak - chunked.peak).toBeGreaterThan(0.99 * spared);
    expect(chunked.judged).toBe(chunked.peak);
    // Where errors are rounded, each chunk's have their own scale.
    if (preset !== "rung8") expect(chunked.losses).toEqual(whole.losses);
    else
      for (const [i, loss] of chunked.losses.entries())
        expect(Math.abs(loss - whole.losses[i])).toBeLessThan(0.01);
  });

  it("holds them not either when a batch is computed in parts", async () => {
    const [whole, chunked] = [await run("fp32", true, 2), await run("fp32", false, 2)];
    expect(whole.peak - chunked.peak).toBeGreaterThan(0.99 * bytesOfRows((rows * context) / 2 - 256));
    expect(chunked.losses).toEqual(whole.losses);
  });
});
