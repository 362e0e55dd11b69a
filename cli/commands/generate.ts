/** `logrung generate`: samples from a run's model: text, or a picture of images. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import type { TrainConfig } from "../config/resolve.ts";
import { UsageError } from "../errors.ts";

function numberOf(
  values: CommandContext["values"],
  key: string,
  fallback: number,
  isFit = Number.isSafeInteger,
): number {
  const given = values[key];
  if (given === undefined) return fallback;
  const value = Number(given);
  if (String(given).trim() !== "" && isFit(value) && value >= 0) return value;
  const wanted = isFit === Number.isSafeInteger ? "a whole number" : "a number";
  throw new UsageError(`--${key} is "${String(given)}", wants ${wanted} >= 0`);
}

/** What generate has to say to a run that makes neither texts nor images. */
function nothingToMake({
  task,
  config,
}: {
  readonly task: "images" | "masked" | "texts";
  readonly config: TrainConfig;
}): string {
  const learns = {
    images: "classes of images",
    masked: "hidden symbols of a text",
    texts: "classes of texts",
  };
  return `generate wants a run of a language model or of a GAN, this one (${config.model.name}) learns ${learns[task]}`;
}

async function run(context: CommandContext): Promise<void> {
  const { positionals, values, json, stdout, cwd, signal } = context;
  checkPositionals(command, positionals, 1, 1);
  const [folder] = positionals;
  const { resolve } = await import("node:path");
  const { openRun } = await import("../open-run.ts");
  const { promptSymbols } = await import("../prompt.ts");
  const { sample } = await import("../../src/models/sample.ts");
  const { breathe } = await import("../../src/train/breathe.ts");
  const { printable } = await import("../printable.ts");
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  const path = resolve(cwd, folder);
  const opened = await openRun(path, checkpoint);
  try {
    if (opened.task === "gan") {
      const { generateImages } = await import("../generate-images.ts");
      const {
        sample: { columns },
        seed,
      } = opened.config;
      const options = { columns: numberOf(values, "columns", columns), seed: numberOf(values, "seed", seed) };
      await generateImages(opened, path, options, context);
      return;
    }
    const wrong = ["output", "columns"].find((name) => values[name] !== undefined);
    if (wrong !== undefined) throw new UsageError(`--${wrong} is for runs of GANs, which make images`);
    if (opened.task !== "language") throw new UsageError(nothingToMake(opened));
    const { config, device, policy, trainer, tokenizer, position } = opened;
    const prompt = typeof values.prompt === "string" ? values.prompt : config.sample.prompt;
    if (prompt === "") throw new UsageError("--prompt is empty, wants at least one character");
    const options = {
      length: numberOf(values, "length", config.sample.length),
      temperature: numberOf(values, "temperature", config.sample.temperature, Number.isFinite),
      topK: numberOf(values, "top-k", config.sample.topK),
      seed: numberOf(values, "seed", config.seed),
    };
    const symbols = promptSymbols(tokenizer, prompt);
    const stream = tokenizer.stream();
    stream.push(symbols); // what comes next is parted from it as it is from any symbol
    let text = "";
    const show = stdout.isTTY === true ? printable : String;
    const say = (piece: string): void => {
      text += piece;
      if (!json) stdout.write(show(piece));
    };
    if (!json) stdout.write(show(prompt));
    await trainer.evaluating(async () => {
      for await (const symbol of sample(device, trainer.model, policy, symbols, options)) {
        say(stream.push([symbol]));
        await breathe();
        if (signal.aborted) break;
      }
    });
    say(stream.end());
    stdout.write(
      json ? `${JSON.stringify({ run: path, step: position.step, prompt, text, ...options })}\n` : "\n",
    );
  } finally {
    await opened.close();
  }
}

export const command: Command = {
  name: "generate",
  summary: "sample from a run's model: text, or a picture of images",
  usage:
    "generate <run> [--prompt <text>] [--length <n>] [--temperature <t>] [--top-k <k>] [--seed <n>] | " +
    "generate <run> [--output <file.png>] [--columns <n>] [--seed <n>]",
  options: [
    { name: "prompt", type: "string", placeholder: "<text>", doc: "text to go on from; default the run's" },
    {
      name: "length",
      type: "string",
      placeholder: "<n>",
      doc: "symbols to draw; default the run's sample.length",
    },
    {
      name: "temperature",
      type: "string",
      placeholder: "<t>",
      doc: "0 takes the likeliest; default the run's",
    },
    { name: "top-k", type: "string", placeholder: "<k>", doc: "draw among the k likeliest; 0 is all" },
    {
      name: "seed",
      type: "string",
      placeholder: "<n>",
      doc: "default the run's; another gives another text, or other images",
    },
    {
      name: "output",
      type: "string",
      placeholder: "<file.png>",
      doc: "of a GAN: where the picture goes; default generated-<seed>.png in the run",
    },
    { name: "columns", type: "string", placeholder: "<n>", doc: "of a GAN: images of each class" },
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "which checkpoint; default the newest",
    },
  ],
  examples: [
    'logrung generate runs/mine --prompt "export function " --length 200',
    "logrung generate runs/gan --seed 7 --output clothes.png",
  ],
  run,
};
