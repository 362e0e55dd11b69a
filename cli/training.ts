/** One training run from request to summary: what `logrung train` does. */
import { FileError } from "../src/io/file-error.ts";
import { expectFinite } from "../src/train/divergence.ts";
import { stringifyNumbers } from "../src/train/json.ts";
import type { LoopOptions, LoopResult } from "../src/train/loop.ts";
import { createProgress, type Progress } from "../src/train/progress.ts";
import { readRunMetrics, type RunFolder } from "../src/train/run-folder.ts";
import { keepTokenizer } from "../src/train/run-tokenizer.ts";
import type { CommandContext } from "./command.ts";
import type { TrainConfig } from "./config/resolve.ts";
import { exitCodes } from "./errors.ts";
import { keptClasses } from "./kept-classes.ts";
import { resumeCommand } from "./invocation.ts";
import { numbersOf } from "./number-pictures.ts";
import { readReportRun } from "./report/report-data.ts";
import { writeReport } from "./report/write-report.ts";
import { checkpointOf } from "./run-checkpoint.ts";
import { classesOfFolder, restoreSession, tokenizerOf } from "./open-run.ts";
import { expectSameData, openFolder, type Start, startOf, type TrainRequest } from "./start.ts";
import { describeState, percent, resultLines, summaryOf, warnings } from "./summary.ts";
import { prepareGan } from "./tasks/gan.ts";
import { prepareImages } from "./tasks/images.ts";
import { prepareLanguage } from "./tasks/language.ts";
import { prepareMasked } from "./tasks/masked.ts";
import { prepareTexts } from "./tasks/texts.ts";
import type { Prepared, Work } from "./tasks/work.ts";

/** Trains. @returns the exit code. @throws what resolving, reading and training throw. */
export async function train(request: TrainRequest, context: CommandContext): Promise<number> {
  const start = await startOf(request, context.cwd);
  if (request.dryRun) {
    context.stdout.write(`${JSON.stringify(start.config, null, 2)}\n`);
    return exitCodes.success;
  }
  const prepared = await prepare(start); // refuses data that will not do before anything is made
  const work = await prepared.open();
  const { session } = work;
  try {
    const { folder, loaded } = start;
    if (folder !== undefined && loaded) await restoreSession(session, folder, loaded);
    if (loaded) expectSameData(prepared, start, loaded);
    const opened = await openFolder(start, session);
    try {
      await keepTokenizer(opened.path, prepared.tokenizerFiles);
      return await runIn(opened, start, work, prepared, context);
    } catch (error) {
      if (error instanceof FileError) tellHowToGoOn(opened, context);
      throw error;
    } finally {
      await opened.close();
    }
  } finally {
    await session.close();
  }
}

async function prepare({ config, folder, loaded }: Start): Promise<Prepared> {
  if (config.task === "gan") return prepareGan(config);
  const goesOn = folder !== undefined && loaded !== undefined;
  if (config.task === "images")
    return prepareImages(config, goesOn ? await classesOfFolder(config, folder) : undefined);
  const kept = goesOn ? await tokenizerOf(folder, config) : undefined;
  if (config.task === "masked") return prepareMasked(config, kept);
  return config.task === "texts"
    ? prepareTexts(config, kept && { tokenizer: kept, classes: await keptClasses(folder ?? "") })
    : prepareLanguage(config, kept);
}

/** The disk's refusal itself is told last, by whoever catches it. */
function tellHowToGoOn({ path }: RunFolder, { stderr, env }: CommandContext): void {
  stderr.write(`logrung: the run had to stop; once the cause is mended: ${resumeCommand(path, env)}\n`);
}

async function runIn(
  folder: RunFolder,
  start: Start,
  work: Work,
  { sha256 }: Prepared,
  context: CommandContext,
): Promise<number> {
  const { session } = work;
  const { config, trainer } = session;
  const progress = createProgress(context.stderr, { color: context.env.NO_COLOR === undefined });
  for (const line of describeState(work, folder.path)) progress.note(line);
  for (const line of warnings(session)) progress.note(line);
  if (start.folder !== undefined) progress.note(`going on after step ${start.step}`);
  const { steps: before } = await readRunMetrics(folder.path);
  const options: LoopOptions = {
    steps: config.steps,
    evaluateEvery: config.evaluate.every,
    checkpointEvery: config.checkpoint.every,
    start: { ...start, metrics: before },
    signal: context.signal,
    onStep: (metrics) => {
      folder.appendMetrics(metrics);
      showStep(progress, metrics, config.steps, start);
    },
    save: async (step, seconds) => {
      await expectFinite(step, trainer.tensors());
      const checkpoint = await checkpointOf(session, { step, seconds, corpus: sha256 });
      await folder.saveCheckpoint(step, checkpoint, config.checkpoint.keep);
    },
  };
  const loop = work.loop(options, folder.path);
  const result = await loop.finally(() => progress.end());
  return result.finished
    ? finish(folder, work, result, context)
    : interrupted(folder, result, config, context);
}

function showStep(
  progress: Progress,
  metrics: Parameters<LoopOptions["onStep"]>[0],
  steps: number,
  start: Start,
): void {
  const { step, seconds = 0, loss, tokensPerSecond, samplesPerSecond } = metrics;
  const { validationLoss, validationAccuracy, discriminatorLoss, generatorLoss } = metrics;
  const secondsLeft = ((seconds - start.seconds) / (step - start.step)) * (steps - step);
  if (validationLoss !== undefined) {
    const accuracy = validationAccuracy === undefined ? "" : `, accuracy ${percent(validationAccuracy)}`;
    progress.note(`step ${step}: validation loss ${validationLoss.toFixed(4)}${accuracy}`);
  }
  progress.update({
    step,
    steps,
    secondsLeft,
    ...(loss === undefined ? {} : { loss }),
    ...(typeof discriminatorLoss === "number" && typeof generatorLoss === "number"
      ? { losses: { discriminator: discriminatorLoss, generator: generatorLoss } }
      : {}),
    ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    ...(samplesPerSecond === undefined ? {} : { samplesPerSecond }),
  });
}

function interrupted(
  folder: RunFolder,
  result: LoopResult,
  { steps }: TrainConfig,
  { stderr, env }: CommandContext,
): number {
  stderr.write(
    `logrung: saved after step ${result.step} of ${steps}; go on with: ${resumeCommand(folder.path, env)}\n`,
  );
  return exitCodes.interrupted;
}

async function finish(
  folder: RunFolder,
  work: Work,
  result: LoopResult,
  { stdout, stderr, json, signal }: CommandContext,
): Promise<number> {
  const { policy, trainer } = work.session;
  const shown = await trainer.evaluating(() => work.show(signal));
  const figures = summaryOf(work, folder.path, result);
  const numbers = await numbersOf(work.session);
  const summary = { ...figures, ...shown, policy, memory: trainer.memory, ...numbers };
  const run = await readReportRun(folder.path);
  const report = await writeReport(folder.path, { title: run.name, runs: [{ ...run, summary }] });
  // The last file of a run: where it stands, nothing is missing.
  await folder.writeSummary(summary);
  stdout.write(json ? `${stringifyNumbers(figures)}\n` : resultLines(figures, summary));
  if (signal.aborted) stderr.write(`logrung: all ${result.step} steps are done and saved\n`);
  stderr.write(`report: ${report}\n`);
  return exitCodes.success;
}
