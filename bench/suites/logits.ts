/** Cross entropy of large vocabularies by rows whose logits exist at once, in time and in memory. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Row, Suite } from "../suite.ts";
import { interleave, median, pairedRatio, type Sampling } from "../timing.ts";
import { lossAndGradients, outputLayer, outputs, type OutputSizes } from "../work/logits.ts";

const CHUNKS = [512, 256, 128, 64];

async function timesOf(
  name: string,
  sizes: OutputSizes,
  threads: number,
  sampling: Sampling,
): Promise<Row[]> {
  const device = new Device(await createWasmBackend({ threads }));
  const layer = outputLayer(device, sizes);
  const chunks = [sizes.rows, ...CHUNKS];
  const times = await interleave(chunks.map((chunk) => lossAndGradients(device, layer, chunk)), sampling); // prettier-ignore
  await device.close();
  const [whole, ...others] = times;
  const row = { name: `${name}, logits whole`, value: median(whole), best: Math.min(...whole), unit: "ms" };
  return [
    row,
    ...others.map((samples, i): Row => {
      const note = `${(4e-6 * CHUNKS[i] * sizes.classes).toFixed(0)} MB of logits`;
      const ratio = pairedRatio(samples, whole);
      return { name: `${name}, ${CHUNKS[i]} rows of logits to whole`, value: ratio, unit: "×", note };
    }),
  ];
}

/** The most memory held during forward and backward, in a backend of its own. */
async function memoryOf(name: string, sizes: OutputSizes, threads: number, chunk: number): Promise<Row> {
  const device = new Device(await createWasmBackend({ threads }));
  await lossAndGradients(device, outputLayer(device, sizes), chunk)();
  const { peakBytes } = device.backend.memory;
  await device.close();
  const how = chunk === sizes.rows ? "logits whole" : `${chunk} rows of logits`;
  return { name: `${name}, peak memory, ${how}`, value: peakBytes / 1e6, unit: "MB" };
}

export const suite: Suite = {
  name: "logits",
  summary:
    "output layer and cross entropy of 50,257 and 33,278 symbols, forward and backward, by rows at once",
  byDefault: false,
  async run({ threads, quick }) {
    const sampling = { samples: quick ? 3 : 9, milliseconds: 0, warmUp: 1 };
    const rows: Row[] = [];
    for (const [name, sizes] of Object.entries(outputs)) {
      rows.push(...(await timesOf(name, sizes, threads, sampling)));
      for (const chunk of [sizes.rows, ...CHUNKS]) rows.push(await memoryOf(name, sizes, threads, chunk));
    }
    return rows;
  },
};
