/** A picture of what a run's generator makes. */
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { writeFileAtomic } from "../src/io/atomic-file.ts";
import { FileError } from "../src/io/file-error.ts";
import type { CommandContext } from "./command.ts";
import { UsageError } from "./errors.ts";
import type { Position } from "./open-run.ts";
import type { GanSession } from "./session.ts";
import { pictureOf } from "./tasks/gan.ts";

/** Options that are of texts alone. */
const ofTexts = ["prompt", "length", "temperature", "top-k"] as const;

/**
 * Writes a PNG of samples, a row for each class: `--output`, or `generated-<seed>.png` in the run.
 *
 * @throws UsageError for options of texts and a file of another kind, FileError when it cannot be written.
 */
export async function generateImages(
  session: GanSession & { readonly position: Position },
  run: string,
  { columns, seed }: { readonly columns: number; readonly seed: number },
  { values, json, stdout, stderr, cwd }: CommandContext,
): Promise<void> {
  const wrong = ofTexts.find((name) => values[name] !== undefined);
  if (wrong !== undefined) throw new UsageError(`--${wrong} is for runs of language models, this one makes images`);
  if (columns < 1) throw new UsageError(`--columns is ${columns}, wants 1 or more`);
  const given = values.output;
  if (typeof given === "string" && !given.toLowerCase().endsWith(".png")) {
    throw new UsageError(`--output is "${given}", wants a file *.png`);
  }
  const path = typeof given === "string" ? resolve(cwd, given) : join(run, `generated-${seed}.png`);
  const png = await pictureOf(session, columns, seed);
  await mkdir(dirname(path), { recursive: true }).catch((cause: unknown) => {
    throw new FileError("write", path, cause);
  });
  await writeFileAtomic(path, png);
  const { classes } = session.trainer.model.task;
  const { step } = session.position;
  if (json) stdout.write(`${JSON.stringify({ run, step, picture: path, classes, columns, seed })}\n`);
  else {
    stderr.write(`${classes} rows, one a class, of ${columns} images (step ${step}, seed ${seed})\n`);
    stdout.write(`${path}\n`);
  }
} // prettier-ignore
