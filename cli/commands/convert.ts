/** `logrung convert`: a model from Hugging Face's layout into a run, and back. */
import { resolve } from "node:path";
import { suggestion } from "../../src/formats/nearest-name.ts";
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";

const layouts = ["huggingface", "logrung"] as const;

function layoutOf(given: string | boolean | undefined, isPublished: boolean): (typeof layouts)[number] {
  if (given === undefined) return isPublished ? "logrung" : "huggingface";
  const found = layouts.find((layout) => layout === given);
  if (found === undefined)
    throw new UsageError(`--to is "${String(given)}" ${suggestion(String(given), layouts)}`);
  return found;
}

async function run({ positionals, values, config, json, stdout, cwd }: CommandContext): Promise<void> {
  checkPositionals(command, positionals, 2, 2);
  const [from, to] = positionals.map((path) => resolve(cwd, path));
  const { toHuggingFace, toRun } = await import("../huggingface.ts");
  const { isHuggingFace } = await import("../published-folder.ts");
  const layout = layoutOf(values.to, isHuggingFace(from));
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  if (layout === "logrung" && checkpoint !== undefined)
    throw new UsageError("--checkpoint is for runs: convert <run> --to huggingface <out>");
  if (layout === "huggingface" && config.length > 0)
    throw new UsageError(`--${config[0].key} is for a run that is made: convert <folder> --to logrung <out>`);
  const made =
    layout === "logrung" ? await toRun(from, to, config, cwd) : await toHuggingFace(from, to, checkpoint);
  stdout.write(
    json
      ? `${JSON.stringify(made)}\n`
      : `${made.folder}: ${made.parameters.toLocaleString("en")} parameters\n`,
  );
}

export const command: Command = {
  name: "convert",
  summary: "turns a published GPT-2, BERT or ViT of Hugging Face into a run, and a run into that layout",
  usage: "convert <folder | run> --to huggingface|logrung <out> [--key=value …]",
  takesConfig: true,
  options: [
    {
      name: "to",
      type: "string",
      placeholder: "huggingface|logrung",
      doc: "layout to write; default the other one",
    },
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "of a run: which checkpoint; default the newest",
    },
  ],
  examples: [
    "logrung convert path/to/gpt2 --to logrung runs/gpt2 --optimizer rung --precision rung8",
    "logrung generate runs/gpt2 --prompt 'The ladder'",
    "logrung train --resume runs/gpt2 --data any.txt --steps 100",
    "logrung convert runs/gpt2 --to huggingface path/to/mine",
    "logrung convert path/to/bert-base-uncased --to logrung runs/bert --batch 8",
    "logrung convert path/to/bert-base-uncased --to logrung runs/sst2 --task texts --data train.tsv",
    "logrung convert path/to/vit --to logrung runs/vit --data path/to/images",
  ],
  run,
};
