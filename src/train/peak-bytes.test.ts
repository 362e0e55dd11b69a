import { expect, it } from "vitest";
import { trainingBatch } from "../data/batches.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Heap } from "../kernels/wasm/memory.ts";
import { gpt2 } from "../models/gpt2.ts";
import { optimizers } from "../optim/optimizers.generated.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { createTrainer } from "./language-trainer.ts";

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

it.each(["fp32", "rung8", "mxfp8"])(
  "the peak that a backend tells is that of its buffers, and little more memory is touched: %s",
  async (preset) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const { memory } = device.backend;
    if (!(memory instanceof Heap)) throw new Error("the wasm backend tells of its heap");
    const books = audited(memory);
    const sizes = { vocabulary: 64, context: 32, layers: 3, width: 64, heads: 2, init: "fan-in" } as const;
    const trainer = await createTrainer({
      device,
      model: gpt2(device, sizes, 1),
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
