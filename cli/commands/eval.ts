/** `logrung eval`: scores a run's model on its validation data, or on another text. */
import { checkPositionals } from "../arguments.ts";
import type { Command, CommandContext } from "../command.ts";
import { UsageError } from "../errors.ts";
import { interruptible } from "../interruptible.ts";
import type { EncoderScore } from "../score-encoder.ts";
import type { Comparison } from "../score-gan.ts";
import type { Position } from "../open-run.ts";
import type { GanSession, ImagesSession, LanguageSession, MaskedSession, TextsSession } from "../session.ts";

async function run(given: CommandContext): Promise<void> {
  const { positionals, values, cwd } = given;
  checkPositionals(command, positionals, 1, 1);
  const [folder] = positionals;
  const { resolve } = await import("node:path");
  const { openRun } = await import("../open-run.ts");
  const path = resolve(cwd, folder);
  const { readRunConfig } = await import("../../src/train/run-folder.ts");
  const pathOf = (key: string): string | undefined =>
    typeof values[key] === "string" ? resolve(cwd, values[key]) : undefined;
  const [other, place, features] = [pathOf("data"), pathOf("data-dir"), pathOf("features")];
  const { task = "language" } = await readRunConfig(path);
  if (other !== undefined && task === "gan")
    throw new UsageError(
      "a run on a set of images is scored on its test part; --data names a text or a folder",
    );
  const changes = place === undefined ? {} : { data: { dir: place } };
  const hasParts = other === undefined && (task === "language" || task === "masked");
  const part = partNamed(values.part, !hasParts);
  const checkpoint = typeof values.checkpoint === "string" ? values.checkpoint : undefined;
  const opened = await openRun(path, checkpoint, changes);
  try {
    const { position } = opened;
    for (const key of ["features", "images"])
      if (values[key] !== undefined && opened.task !== "gan")
        throw new UsageError(`--${key} is for runs of GANs, whose images are compared with real ones`);
    const comparison = comparisonOf(features, values.images);
    const request = { path, position, other, part };
    if (opened.task === "language") await scoreText(opened, request, given);
    else if (opened.task === "images") await scoreImages(opened, request, given);
    else if (opened.task === "gan") await scoreMade(opened, { path, position, comparison }, given);
    else await scoreEncoder(opened, request, given);
  } finally {
    await opened.close();
  }
}

function comparisonOf(features: string | undefined, given: string | boolean | undefined) {
  if (features === undefined) {
    if (given === undefined) return undefined;
    throw new UsageError("--images goes with --features: it says how many images to compare");
  }
  const images = given === undefined ? undefined : Number(given);
  if (images === undefined || Number.isSafeInteger(images)) return { features, images };
  throw new UsageError(`--images is "${String(given)}", wants a whole number`);
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
  { path, position, ...asked }: TextRequest,
  { json, stdout, stderr, signal }: CommandContext,
): Promise<void> {
  const { countWindows, sequentialBatches } = await import("../../src/data/batches.ts");
  const { DataError } = await import("../../src/data/data-error.ts");
  const { config, trainer } = session;
  const { name, symbols } = await textOf(session, { position, ...asked }, stderr);
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
const symbolNames = {
  bytes: "byte",
  characters: "character",
  words: "word",
  gpt2: "byte pair",
  wordpiece: "word piece",
} as const;

/** A text of its own is scored whole; the run's text only in a part it was not trained on. */
async function textOf(
  session: LanguageSession | MaskedSession,
  { position, other, part }: Omit<TextRequest, "path">,
  stderr: CommandContext["stderr"],
) {
  if (other === undefined) return ownPart(session, position, part, stderr);
  const { loadOther } = await import("../language-data.ts");
  return loadOther(other, session.tokenizer, session.config.data);
}

async function ownPart(
  { config, tokenizer }: LanguageSession | MaskedSession,
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
  session: ImagesSession,
  { path, position: { step }, other }: TextRequest,
  { json, stdout, signal }: CommandContext,
): Promise<void> {
  const { imagesToScore } = await import("../score-images.ts");
  const { name, images, batches } = await imagesToScore(session, path, other);
  const { loss, accuracy = Number.NaN } = await session.trainer.evaluate(interruptible(batches, signal));
  if (json) stdout.write(`${JSON.stringify({ run: path, step, images, loss, accuracy })}\n`);
  else {
    stdout.write(
      `loss ${loss.toFixed(4)} nats, accuracy ${(100 * accuracy).toFixed(2)} % (step ${step}, ${images} images of ${name})\n`,
    );
  }
}

async function scoreMade(
  session: GanSession,
  {
    path,
    position,
    comparison,
  }: { readonly path: string; readonly position: Position; readonly comparison: Comparison | undefined },
  { json, stdout, stderr, signal }: CommandContext,
): Promise<void> {
  const { ganScoreLine, scoreGan } = await import("../score-gan.ts");
  const score = await scoreGan(session, comparison, { stderr, signal });
  const { step } = position;
  stdout.write(json ? `${JSON.stringify({ run: path, step, ...score })}\n` : ganScoreLine(score, step));
}

/** Hidden symbols of a text, or the classes of labelled texts. */
async function scoreEncoder(
  session: MaskedSession | TextsSession,
  { path, ...asked }: TextRequest,
  { json, stdout, stderr, signal }: CommandContext,
): Promise<void> {
  const { scoreMasked, scoreTexts } = await import("../score-encoder.ts");
  const score: EncoderScore =
    session.task === "masked"
      ? await scoreMasked(session, await textOf(session, asked, stderr), signal)
      : await scoreTexts(session, asked.other, signal);
  const { loss, accuracy, name, count } = score;
  const unit = session.task === "masked" ? "symbols" : "texts";
  const { step } = asked.position;
  const perplexity = session.task === "masked" ? { perplexity: Math.exp(loss) } : {};
  if (json) {
    const result = { run: path, step, [unit]: count, loss, ...perplexity, accuracy };
    return void stdout.write(`${JSON.stringify(result)}\n`);
  }
  const told = session.task === "masked" ? `, perplexity ${Math.exp(loss).toFixed(3)} a hidden symbol` : "";
  stdout.write(
    `loss ${loss.toFixed(4)} nats${told}, accuracy ${(100 * accuracy).toFixed(2)} % ` +
      `(step ${step}, ${count} ${unit} of ${name})\n`,
  );
}

export const command: Command = {
  name: "eval",
  summary:
    "score a run's model: loss, and perplexity (of bytes: bits a byte, too), accuracy, or Fréchet distance (FID)",
  usage:
    "eval <run> [--data <file> | --part validation|test | --features <run | checkpoint> [--images <n>]] " +
    "[--data-dir <folder>] [--checkpoint step-<n>]",
  options: [
    {
      name: "data",
      type: "string",
      placeholder: "<file>",
      doc: "score this text (labelled texts, folder of images) instead of the run's validation part",
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
      placeholder: "<run | checkpoint>",
      doc:
        "of a GAN: the Fréchet distance between made and real images in the features of this run's classifier, or of Inception-v3 " +
        "in this file (.safetensors, .pth); pytorch-fid's weights give the FID",
    },
    {
      name: "images",
      type: "string",
      placeholder: "<n>",
      doc: "with --features: how many test, made and training images; default as many as there are test images",
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
    "logrung eval runs/gan --features pt_inception-2015-12-05-6726825d.pth --images 2000",
  ],
  run,
};
