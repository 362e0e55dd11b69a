/** `logrung train`: trains a model of text or images, from a recipe, a config file, or a run to go on with. */
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { TrainRequest } from "../start.ts";

async function run(context: CommandContext): Promise<number | void> {
  const request = requestOf(context);
  const { train } = await import("../training.ts");
  return train(request, context);
}

/** A switch takes no word of its own, so its value is written on it. */
const switchHint = (words: readonly string[]): string =>
  words.some((word) => word === "true" || word === "false")
    ? "; a switch is written --key=true or --key=false"
    : "";

function requestOf({ positionals, values, config }: CommandContext): TrainRequest {
  const [source, ...rest] = positionals;
  if (rest.length > 0)
    throw new UsageError(
      `train takes one recipe or config file, got "${positionals.join(" ")}"${switchHint(rest)}`,
    );
  const text = (key: string): string | undefined =>
    typeof values[key] === "string" ? values[key] : undefined;
  const resume = text("resume");
  const checkpoint = text("checkpoint");
  if (resume !== undefined && source !== undefined) {
    throw new UsageError(`--resume goes on with a run's own configuration; leave out "${source}"`);
  }
  if (checkpoint !== undefined && resume === undefined)
    throw new UsageError("--checkpoint needs --resume <run>");
  if (resume !== undefined && config.some(({ key }) => key === "output")) {
    throw new UsageError("a resumed run stays in its folder; leave out --output (the folder may be moved)");
  }
  const gives = (name: string): boolean => config.some(({ key }) => key === name);
  const givesText = gives("data.path") || gives("data.set");
  if (resume === undefined && source === undefined && !givesText && !gives("data.name")) {
    throw new UsageError(
      "train what? Name a recipe (own-source, text, fashion-mnist-mlp, …), a config.json, or a text: --data <file>",
    );
  }
  return {
    source: source ?? (givesText && resume === undefined ? "text" : undefined),
    assignments: config,
    resume,
    checkpoint,
    dryRun: values["dry-run"] === true,
  };
}

export const command: Command = {
  name: "train",
  summary:
    "train a model of text or images; writes a run folder that can be resumed, scored and sampled from",
  usage: "train <recipe | config.json> [--key=value …] | train --resume <run> [--key=value …]",
  takesConfig: true,
  options: [
    {
      name: "resume",
      type: "string",
      placeholder: "<run>",
      doc: "go on with a run, bit for bit as if it had never stopped",
    },
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "with --resume: from this checkpoint; default the newest",
    },
    { name: "dry-run", type: "boolean", doc: "print the resolved configuration and stop" },
  ],
  examples: [
    "logrung train own-source",
    "logrung train text --data shakespeare.txt --optimizer adamw --precision fp32 --steps 600",
    "logrung train fashion-mnist-mlp --data-dir path/to/data --optimizer madam --lr 0.01",
    "logrung train --resume runs/own-source-20260131-120000-3fa2",
  ],
  run,
};
