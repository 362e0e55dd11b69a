/** Training steps of two language models: the one peers train too, and that of `npm start`. */
import { createWasmBackend } from "../../src/kernels/wasm/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { onTwoThreads, type Context, type Row, type Suite, type Target } from "../suite.ts";
import { ownTask } from "../task-process.ts";
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
import { memoryRows } from "./own-process.ts";

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

/** What the model that peers train too should reach. */
interface Targets {
  readonly tokens?: Target;
  readonly state?: Target;
  readonly memory?: Target;
}
const targets: Readonly<Partial<Record<RecipeName, Targets>>> = {
  "AdamW float32": { tokens: { atLeast: 6400 }, memory: { atMost: 250 } },
  "AdamW lmd-mxfp4": { tokens: { atLeast: 7000 } },
  "LMD lmd8 and mxfp6": { state: { atMost: 4 } },
  "Rung rung8": { memory: { atMost: 120 } },
  "LNS-Madam state8, no momentum": { state: { atMost: 2.2 } },
  "LNS-Madam lns-madam-8": { memory: { atMost: 120 } },
};

function targetsOf(name: Subject["name"], recipe: RecipeName): Targets {
  if (name === "gpt") return targets[recipe] ?? {};
  return recipe === OWN ? { state: { atMost: 3.2 } } : {};
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
    const target = targetsOf(name, recipe);
    return [
      { name: `${name} step, ${recipe}`, value: milliseconds, best: least, unit: "ms" },
      {
        name: `${name} speed, ${recipe}`,
        value: (tokens * 1000) / milliseconds,
        best: (tokens * 1000) / least,
        unit: "tokens/s",
        ...(target.tokens ? onTwoThreads(context, target.tokens) : {}),
      },
      {
        name: `${name} state, ${recipe}`,
        value: bytesPerParameter(trainings[i]),
        unit: "bytes/parameter",
        ...(target.state ? { target: target.state } : {}),
      },
    ];
  });
}

function memoryOf({ name }: Subject, recipe: RecipeName, { threads, quick }: Context): Promise<Row[]> {
  const command = ownTask(name, threads, quick ? 3000 : 8000, recipe);
  return memoryRows(name, recipe, command, targetsOf(name, recipe).memory);
}

function suiteOf(subject: Subject, summary: string): Suite {
  const run = async (context: Context): Promise<Row[]> => {
    const rows = await speedRows(subject, context);
    for (const recipe of subject.recipes) rows.push(...(await memoryOf(subject, recipe, context)));
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
