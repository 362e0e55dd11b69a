/** `logrung eval`: scores a run's model on its validation text, or on another. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";

async function run(given: CommandContext): Promise<void> {
  const { positionals, values, json, stdout, stderr, cwd, signal } = given;
  checkPositionals(command, positionals, 1, 1);
  const [folder] = positionals;
  const { resolve } = await import("node:path");
  const { openRun, loadCorpus, splitOf } = await import("../session.ts");
  const { countWindows, sequentialBatches } = await import("../../src/data/batches.ts");
  const { DataError } = await import("../../src/data/data-error.ts");
  const path = resolve(cwd, folder);
  const other = typeof values.data === "string" ? { data: { path: [resolve(cwd, values.data)] } } : {};
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  const opened = await openRun(path, checkpoint, other);
  try {
    const { config, trainer, position } = opened;
    const corpus = await loadCorpus(config);
    if (!("data" in other) && corpus.sha256 !== position.corpus) {
      stderr.write(
        "logrung: the text has changed since this run was trained; scoring its validation part as it is now\n",
      );
    }
    // A text of its own is scored whole; the run's text only in the part it was not trained on.
    const text = "data" in other ? corpus.bytes : splitOf(config, corpus).validation;
    const { context } = config.model;
    if (countWindows(text.length, context) === 0) {
      const reason = `too short: ${text.length} bytes, a context of ${context} needs ${context + 1} to score`;
      throw new DataError(corpus.name, reason);
    }
    const batches = sequentialBatches(text, { rows: config.batch, context });
    const loss = await trainer.evaluate(interruptible(batches, signal));
    const result = {
      run: path,
      step: position.step,
      bytes: text.length,
      loss,
      perplexity: Math.exp(loss),
      bitsPerByte: loss / Math.LN2,
    };
    if (json) stdout.write(`${JSON.stringify(result)}\n`);
    else {
      stdout.write(
        `loss ${loss.toFixed(4)} nats, perplexity ${result.perplexity.toFixed(3)}, ` +
          `${result.bitsPerByte.toFixed(3)} bits a byte (step ${position.step}, ${text.length} bytes of ${corpus.name})\n`,
      );
    }
  } finally {
    await opened.close();
  }
}

function* interruptible<T>(items: Iterable<T>, signal: AbortSignal): Generator<T, void, undefined> {
  for (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}

export const command: Command = {
  name: "eval",
  summary: "score a run's model: loss, perplexity, bits a byte",
  usage: "eval <run> [--data <file>] [--checkpoint step-<n>]",
  options: [
    {
      name: "data",
      type: "string",
      placeholder: "<file>",
      doc: "score this text instead of the run's validation part",
    },
    {
      name: "checkpoint",
      type: "string",
      placeholder: "step-<n>",
      doc: "which checkpoint; default the newest",
    },
  ],
  examples: [
    "logrung eval runs/own-source-20260131-120000-3fa2",
    "logrung eval runs/mine --data other.txt --json",
  ],
  run,
};
