/** Attention by sequence length: the fused kernel against products and a softmax, in time and in memory. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Row, Suite } from "../suite.ts";
import { interleave, median, pairedRatio, type Sampling } from "../timing.ts";
import { batchOf, both, forward, sequences, type Way } from "../work/attention.ts";

const LENGTHS = [128, 512, 1024, 2048];
const WAYS: readonly Way[] = ["composed", "fused"];
const PASSES = { forward, "forward and backward": both } as const;

async function timesOf(length: number, threads: number, sampling: Sampling): Promise<Row[]> {
  const device = new Device(await createWasmBackend({ threads }));
  const qkv = batchOf(device, length);
  const works = Object.values(PASSES).flatMap((pass) => WAYS.map((way) => pass(device, way, qkv, length)));
  const times = await interleave(works, sampling);
  await device.close();
  return Object.keys(PASSES).flatMap((pass, i): Row[] => {
    const [composed, fused] = [times[2 * i], times[2 * i + 1]];
    const name = `attention, length ${length}, ${pass}`;
    const row = (way: Way, samples: readonly number[]): Row => ({
      name: `${name}, ${way}`,
      value: median(samples),
      best: Math.min(...samples),
      unit: "ms",
    });
    const ratio = { name: `${name}, fused against composed`, value: pairedRatio(composed, fused), unit: "×" };
    const target = pass === "forward" ? {} : { target: { atLeast: 1 } };
    return [row("composed", composed), row("fused", fused), { ...ratio, ...target }];
  });
}

/** The most memory held during forward and backward, in a backend of its own. */
async function memoryOf(length: number, threads: number, way: Way): Promise<Row> {
  const device = new Device(await createWasmBackend({ threads }));
  await both(device, way, batchOf(device, length), length)();
  const { peakBytes } = device.backend.memory;
  await device.close();
  const note = `${sequences(length)} × ${length} tokens, 4 heads of 64`;
  return {
    name: `attention, length ${length}, peak memory, ${way}`,
    value: peakBytes / 1e6,
    unit: "MB",
    note,
  };
}

export const suite: Suite = {
  name: "attention",
  summary: "causal attention of 1024 or 2048 tokens, 4 heads of 64, by sequence length",
  byDefault: true,
  async run({ threads, quick }) {
    const sampling = { samples: quick ? 5 : 15, milliseconds: quick ? 5 : 15 };
    const rows: Row[] = [];
    for (const length of LENGTHS) {
      rows.push(...(await timesOf(length, threads, sampling)));
      for (const way of WAYS) rows.push(await memoryOf(length, threads, way));
    }
    return rows;
  },
};
