/** `logrung eval`: scores a run's model on its validation data, or on another text. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { ImagesSession, LanguageSession, Position } from "../session.ts";

async function run(given: CommandContext): Promise<void> {
  const { positionals, values, cwd } = given;
  checkPositionals(command, positionals, 1, 1);
  const [folder] = positionals;
  const { resolve } = await import("node:path");
  const { openRun } = await import("../session.ts");
  const path = resolve(cwd, folder);
  const { readRunConfig } = await import("../../src/train/run-folder.ts");
  const pathOf = (key: string): string | undefined =>
    typeof values[key] === "string" ? resolve(cwd, values[key]) : undefined;
  const [other, place] = [pathOf("data"), pathOf("data-dir")];
  const { task = "language" } = await readRunConfig(path);
  if (other !== undefined && task !== "language")
    throw new UsageError("a run on images is scored on its set's test part; --data names a text");
  const changes = {
    ...(other === undefined ? {} : { path: [other] }),
    ...(place === undefined ? {} : { dir: place }),
  };
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  const opened = await openRun(path, checkpoint, Object.keys(changes).length > 0 ? { data: changes } : {});
  try {
    const { position } = opened;
    if (opened.task === "language")
      await scoreText(opened, { path, position, isOther: other !== undefined }, given);
    else await scoreImages(opened, { path, position }, given);
  } finally {
    await opened.close();
  }
}

async function scoreText(
  { config, trainer }: LanguageSession,
  {
    path,
    position,
    isOther,
  }: { readonly path: string; readonly position: Position; readonly isOther: boolean },
  { json, stdout, stderr, signal }: CommandContext,
): Promise<void> {
  const { loadCorpus, splitOf } = await import("../tasks/language.ts");
  const { countWindows, sequentialBatches } = await import("../../src/data/batches.ts");
  const { DataError } = await import("../../src/data/data-error.ts");
  const corpus = await loadCorpus(config);
  if (!isOther && corpus.sha256 !== position.corpus) {
    stderr.write(
      "logrung: the text has changed since this run was trained; scoring its validation part as it is now\n",
    );
  }
  // A text of its own is scored whole; the run's text only in the part it was not trained on.
  const text = isOther ? corpus.bytes : splitOf(config, corpus).validation;
  const { context } = config.model;
  if (countWindows(text.length, context) === 0) {
    const reason = `too short: ${text.length} bytes, a context of ${context} needs ${context + 1} to score`;
    throw new DataError(corpus.name, reason);
  }
  const batches = sequentialBatches(text, { rows: config.batch, context });
  const { loss } = await trainer.evaluate(interruptible(batches, signal));
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
}

/** All test images, however few the run's validations took. */
async function scoreImages(
  { config, trainer }: ImagesSession,
  { path, position }: { readonly path: string; readonly position: Position },
  { json, stdout, signal }: CommandContext,
): Promise<void> {
  const { loadTestImages, normalisationOf } = await import("../tasks/images.ts");
  const { orderedImages } = await import("../../src/data/image-batches.ts");
  const set = await loadTestImages({ ...config, evaluate: { ...config.evaluate, images: 0 } });
  const batches = orderedImages(set, config.batch, normalisationOf(config));
  const { loss, accuracy = Number.NaN } = await trainer.evaluate(interruptible(batches, signal));
  const images = set.labels.length;
  const { step } = position;
  if (json) stdout.write(`${JSON.stringify({ run: path, step, images, loss, accuracy })}\n`);
  else {
    stdout.write(
      `loss ${loss.toFixed(4)} nats, accuracy ${(100 * accuracy).toFixed(2)} % (step ${step}, ${images} images of ${set.name})\n`,
    );
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
  summary: "score a run's model: loss, and perplexity and bits a byte, or accuracy",
  usage: "eval <run> [--data <file>] [--data-dir <folder>] [--checkpoint step-<n>]",
  options: [
    {
      name: "data",
      type: "string",
      placeholder: "<file>",
      doc: "score this text instead of the run's validation part",
    },
    {
      name: "data-dir",
      type: "string",
      placeholder: "<folder>",
      doc: "where the images of a run lie now; default where they lay",
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
