/** Training steps of two language models: the one peers train too, and that of `npm start`. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { onTwoThreads, type Context, type Row, type Suite } from "../suite.ts";
import { ownTask, runTask } from "../task-process.ts";
import { interleave, median } from "../timing.ts";
import {
  bytesPerParameter,
  GPT,
  languageTraining,
  recipes,
  START,
  type LanguageSizes,
  type RecipeName,
  type Training,
} from "../work/language.ts";

const names = Object.keys(recipes) as RecipeName[];
/** What `npm start` trains with. */
const OWN: RecipeName = "LNS-Madam state8";

/** A model to time. */
interface Subject {
  /** The suite's name, and the task's that measures memory. */
  readonly name: "gpt" | "start";
  readonly sizes: LanguageSizes;
  readonly recipes: readonly RecipeName[];
}

async function speedRows({ name, sizes, recipes: used }: Subject, context: Context): Promise<Row[]> {
  const device = new Device(await createWasmBackend({ threads: context.threads }));
  const trainings: Training[] = [];
  for (const recipe of used) trainings.push(await languageTraining(device, sizes, recipe));
  const sampling = { samples: context.quick ? 5 : 21, milliseconds: 0, warmUp: 3 };
  const times = await interleave(trainings.map(({ step }) => step), sampling); // prettier-ignore
  await device.close();
  return used.flatMap((recipe, i) => {
    const [milliseconds, least] = [median(times[i]), Math.min(...times[i])];
    const tokens = sizes.batch * sizes.context;
    const isPeers = name === "gpt" && recipe === "AdamW float32";
    const isOwn = name === "start" && recipe === OWN;
    return [
      { name: `${name} step, ${recipe}`, value: milliseconds, best: least, unit: "ms" },
      {
        name: `${name} speed, ${recipe}`,
        value: (tokens * 1000) / milliseconds,
        best: (tokens * 1000) / least,
        unit: "tokens/s",
        ...(isPeers ? onTwoThreads(context, { atLeast: 4000 }) : {}),
      },
      {
        name: `${name} state, ${recipe}`,
        value: bytesPerParameter(trainings[i]),
        unit: "bytes/parameter",
        ...(isOwn ? { target: { atMost: 3.2 } } : {}),
      },
    ];
  });
}

/** In a process of its own. Buffers reach their peak in the first step, garbage some steps later. */
async function memoryRow({ name }: Subject, recipe: RecipeName, { threads, quick }: Context): Promise<Row> {
  const [{ peakBytes, steps }] = await runTask(ownTask(name, threads, quick ? 3000 : 8000, recipe));
  const isPeers = name === "gpt" && recipe === "AdamW float32";
  return {
    name: `${name} peak memory, ${recipe}`,
    value: peakBytes / 1e6,
    unit: "MB",
    ...(isPeers ? { target: { atMost: 300 } } : {}),
    note: `resident, own process, ${steps} steps`,
  };
}

function suiteOf(subject: Subject, summary: string): Suite {
  const run = async (context: Context): Promise<Row[]> => {
    const rows = await speedRows(subject, context);
    for (const recipe of subject.recipes) rows.push(await memoryRow(subject, recipe, context));
    return rows;
  };
  return { name: subject.name, summary, byDefault: true, run };
}

export const gpt = suiteOf(
  { name: "gpt", sizes: GPT, recipes: names },
  "GPT step of 4 layers, width 256, context 128, batch 8, vocabulary 1024",
);
export const start = suiteOf(
  { name: "start", sizes: START, recipes: ["AdamW float32", OWN] },
  "step of the model of `npm start`: 4 layers, width 128, vocabulary 256",
);
