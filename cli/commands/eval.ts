/** `logrung eval`: scores a run's model on its validation data, or on another text. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import type { GanSession, ImagesSession, LanguageSession, Position } from "../session.ts";

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
  const [other, place, features] = [pathOf("data"), pathOf("data-dir"), pathOf("features")];
  const { task = "language" } = await readRunConfig(path);
  if (other !== undefined && task !== "language")
    throw new UsageError("a run on images is scored on its set's test part; --data names a text");
  const changes = place === undefined ? {} : { data: { dir: place } };
  const part = partNamed(values.part, task !== "language" || other !== undefined);
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  const opened = await openRun(path, checkpoint, changes);
  try {
    const { position } = opened;
    if (features !== undefined && opened.task !== "gan")
      throw new UsageError("--features is for runs of GANs, whose images it compares with real ones");
    if (opened.task === "language") await scoreText(opened, { path, position, other, part }, given);
    else if (opened.task === "gan") await scoreMade(opened, { path, position, features }, given);
    else await scoreImages(opened, { path, position }, given);
  } finally {
    await opened.close();
  }
}

type TextPart = "validation" | "test";

/** @param fixed  whether what is scored has no parts. */
function partNamed(given: string | boolean | undefined, fixed: boolean): TextPart {
  if (given === undefined) return "validation";
  if (fixed) throw new UsageError("--part is for the run's own text");
  if (given === "validation" || given === "test") return given;
  throw new UsageError(`--part is "${String(given)}", wants validation or test`);
}

interface TextRequest {
  readonly path: string;
  readonly position: Position;
  /** A text in place of the run's. */
  readonly other: string | undefined;
  readonly part: TextPart;
}

async function scoreText(
  session: LanguageSession,
  { path, position, other, part }: TextRequest,
  { json, stdout, stderr, signal }: CommandContext,
): Promise<void> {
  const { countWindows, sequentialBatches } = await import("../../src/data/batches.ts");
  const { DataError } = await import("../../src/data/data-error.ts");
  const { loadOther } = await import("../language-data.ts");
  const { config, trainer, tokenizer } = session;
  // A text of its own is scored whole; the run's text only in a part it was not trained on.
  const { name, symbols } =
    other === undefined
      ? await ownPart(session, position, part, stderr)
      : await loadOther(other, tokenizer, config.data);
  const { context } = config.model;
  const unit = symbolNames[config.data.level];
  if (countWindows(symbols.length, context) === 0) {
    const reason = `too short: ${symbols.length} ${unit}s, a context of ${context} needs ${context + 1} to score`;
    throw new DataError(name, reason);
  }
  const batches = sequentialBatches(symbols, { rows: config.batch, context });
  const { loss } = await trainer.evaluate(interruptible(batches, signal));
  const isBytes = config.data.level === "bytes";
  const perplexity = Math.exp(loss);
  const result = {
    run: path,
    step: position.step,
    ...(isBytes ? { bytes: symbols.length } : { symbols: symbols.length }),
    loss,
    perplexity,
    ...(isBytes ? { bitsPerByte: loss / Math.LN2 } : {}),
  };
  if (json) return void stdout.write(`${JSON.stringify(result)}\n`);
  const bits = isBytes ? `, ${(loss / Math.LN2).toFixed(3)} bits a byte` : "";
  stdout.write(
    `loss ${loss.toFixed(4)} nats, perplexity ${perplexity.toFixed(3)} a ${unit}${bits} ` +
      `(step ${position.step}, ${symbols.length} ${unit}s of ${name})\n`,
  );
}

/** What a level's symbols are called. */
const symbolNames = { bytes: "byte", characters: "character", words: "word", gpt2: "byte pair" } as const;

async function ownPart(
  { config, tokenizer }: LanguageSession,
  position: Position,
  part: TextPart,
  stderr: CommandContext["stderr"],
) {
  const { loadLanguage } = await import("../language-data.ts");
  const data = await loadLanguage(config, tokenizer);
  if (data.sha256 !== position.corpus && position.corpus !== "") {
    stderr.write(
      `logrung: the text has changed since this run was trained; scoring its ${part} part as it is now\n`,
    );
  }
  const symbols = data[part];
  if (symbols === null) throw new UsageError(`--part test: ${data.name} has no test part`);
  return { name: data.name, symbols };
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

async function scoreMade(
  session: GanSession,
  {
    path,
    position,
    features,
  }: { readonly path: string; readonly position: Position; readonly features: string | undefined },
  { json, stdout, signal }: CommandContext,
): Promise<void> {
  const { ganScoreLine, scoreGan } = await import("../score-gan.ts");
  const score = await scoreGan(session, features, signal);
  const { step } = position;
  stdout.write(json ? `${JSON.stringify({ run: path, step, ...score })}\n` : ganScoreLine(score, step));
}

function* interruptible<T>(items: Iterable<T>, signal: AbortSignal): Generator<T, void, undefined> {
  for (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}

export const command: Command = {
  name: "eval",
  summary:
    "score a run's model: loss, and perplexity (of bytes: bits a byte, too), accuracy, or Fréchet distance",
  usage:
    "eval <run> [--data <file> | --part validation|test | --features <run>] [--data-dir <folder>] [--checkpoint step-<n>]",
  options: [
    {
      name: "data",
      type: "string",
      placeholder: "<file>",
      doc: "score this text instead of the run's validation part",
    },
    {
      name: "part",
      type: "string",
      placeholder: "validation|test",
      doc: "part of the run's text; default validation",
    },
    {
      name: "data-dir",
      type: "string",
      placeholder: "<folder>",
      doc: "where the data set of a run lies now; default where it lay",
    },
    {
      name: "features",
      type: "string",
      placeholder: "<run>",
      doc: "of a GAN: the Fréchet distance between made and real images in the features of this run's classifier",
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
    "logrung eval runs/gan --features runs/fashion-mnist-conv",
  ],
  run,
};
