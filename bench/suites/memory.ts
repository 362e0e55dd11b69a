/** Whether training holds more memory the longer it runs. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import type { Row, Suite } from "../suite.ts";
import { languageTraining, START, type RecipeName } from "../work/language.ts";

const FIRST = 2;
const names: readonly RecipeName[] = ["AdamW float32", "LNS-Madam state8"];

const words = ([held, most]: readonly number[]): string =>
  `${(held / 1e6).toFixed(3)} MB held, ${(most / 1e6).toFixed(3)} at the peak`;

async function growth(recipe: RecipeName, threads: number, last: number): Promise<Row> {
  const device = new Device(await createWasmBackend({ threads }));
  const { memory } = device.backend;
  const { step } = await languageTraining(device, START, recipe);
  const use = async (steps: number): Promise<[bytes: number, peak: number]> => {
    for (let i = 0; i < steps; i++) await step();
    return [memory.bytes, memory.peakBytes];
  };
  const [bytes, peak] = await use(FIRST);
  const [laterBytes, laterPeak] = await use(last - FIRST);
  await device.close();
  return {
    name: `memory gained from step ${FIRST} to ${last}, ${recipe}`,
    value: laterBytes - bytes + (laterPeak - peak),
    unit: "bytes",
    target: { atMost: 0 },
    note: `step ${FIRST}: ${words([bytes, peak])}; step ${last}: ${words([laterBytes, laterPeak])}`,
  };
}

export const suite: Suite = {
  name: "memory",
  summary: "buffers held after step 2 and after step 200 of the model of `npm start`",
  byDefault: true,
  async run({ threads, quick }) {
    const rows: Row[] = [];
    for (const name of names) rows.push(await growth(name, threads, quick ? 30 : 200));
    return rows;
  },
};
