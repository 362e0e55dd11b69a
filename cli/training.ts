/** One training run from request to summary: what `logrung train` does. */
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import type { Corpus } from "../src/data/corpus.ts";
import { FileError } from "../src/io/file-error.ts";
import { sample } from "../src/models/sample.ts";
import { breathe } from "../src/train/breathe.ts";
import { expectFinite } from "../src/train/divergence.ts";
import { type JsonObject, stringifyNumbers } from "../src/train/json.ts";
import { trainingLoop, type LoopResult } from "../src/train/loop.ts";
import { createProgress, type Progress } from "../src/train/progress.ts";
import type { Sample } from "../src/train/run-summary.ts";
import { ladderGroups } from "../src/train/ladder-groups.ts";
import { readRunMetrics, type RunFolder } from "../src/train/run-folder.ts";
import { formatsOf, snapshot } from "../src/train/snapshot.ts";
import type { CommandContext } from "./command.ts";
import type { TrainConfig } from "./config/resolve.ts";
import { exitCodes } from "./errors.ts";
import { resumeCommand } from "./invocation.ts";
import { readReportRun } from "./report/report-data.ts";
import { writeReport } from "./report/write-report.ts";
import { loadCorpus, openSession, restoreSession, type Session, splitOf } from "./session.ts";
import { expectSameText, openFolder, type Start, startOf, type TrainRequest } from "./start.ts";
import { describeState, resultLines, summaryOf, warnings } from "./summary.ts";

/** Trains. @returns the exit code. @throws what resolving, reading and training throw. */
export async function train(request: TrainRequest, context: CommandContext): Promise<number> {
  const start = await startOf(request, context.cwd);
  if (request.dryRun) {
    context.stdout.write(`${JSON.stringify(start.config, null, 2)}\n`);
    return exitCodes.success;
  }
  const corpus = await loadCorpus(start.config);
  const data = splitOf(start.config, corpus); // refuses a text that is too short before anything is made
  const session = await openSession(start.config);
  try {
    const { folder, loaded } = start;
    if (folder !== undefined && loaded) await restoreSession(session, folder, loaded);
    if (loaded) expectSameText(corpus, loaded);
    const opened = await openFolder(start, session);
    try {
      return await runIn(opened, start, session, corpus, data, context);
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

/** The disk's refusal itself is told last, by whoever catches it. */
function tellHowToGoOn({ path }: RunFolder, { stderr, env }: CommandContext): void {
  stderr.write(`logrung: the run had to stop; once the cause is mended: ${resumeCommand(path, env)}\n`);
}

async function runIn(
  folder: RunFolder,
  start: Start,
  session: Session,
  corpus: Corpus,
  data: ReturnType<typeof splitOf>,
  context: CommandContext,
): Promise<number> {
  const { config, trainer } = session;
  const progress = createProgress(context.stderr, { color: context.env.NO_COLOR === undefined });
  for (const line of describeState(session, corpus, folder.path)) progress.note(line);
  for (const line of warnings(session)) progress.note(line);
  if (start.folder !== undefined) progress.note(`going on after step ${start.step}`);
  const { steps: before } = await readRunMetrics(folder.path);
  const result = await trainingLoop({
    trainer,
    data,
    seed: config.seed,
    steps: config.steps,
    batch: config.batch,
    context: config.model.context,
    evaluate: config.evaluate,
    checkpointEvery: config.checkpoint.every,
    start: { ...start, metrics: before },
    signal: context.signal,
    onStep: (metrics) => {
      folder.appendMetrics(metrics);
      showStep(progress, metrics, config.steps, start);
    },
    save: async (step, seconds) => {
      const tensors = trainer.tensors();
      await expectFinite(step, tensors);
      const metadata: JsonObject = {
        step,
        seconds,
        seed: config.seed,
        corpus: corpus.sha256,
        formats: formatsOf(tensors),
        trainer: JSON.parse(JSON.stringify(trainer.state)) as JsonObject,
        config: JSON.parse(JSON.stringify(config)) as JsonObject,
      };
      await folder.saveCheckpoint(
        step,
        { tensors: await snapshot(tensors), metadata },
        config.checkpoint.keep,
      );
    },
  }).finally(() => progress.end());
  return result.finished
    ? finish(folder, session, result, context)
    : interrupted(folder, result, config, context);
}

function showStep(
  progress: Progress,
  metrics: Parameters<Parameters<typeof trainingLoop>[0]["onStep"]>[0],
  steps: number,
  start: Start,
): void {
  const { step, seconds = 0, loss, tokensPerSecond, validationLoss } = metrics;
  const secondsLeft = ((seconds - start.seconds) / (step - start.step)) * (steps - step);
  if (validationLoss !== undefined)
    progress.note(`step ${step}: validation loss ${validationLoss.toFixed(4)}`);
  progress.update({
    step,
    steps,
    secondsLeft,
    ...(loss === undefined ? {} : { loss }),
    ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
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
  session: Session,
  result: LoopResult,
  { stdout, stderr, json, signal }: CommandContext,
): Promise<number> {
  const sampled = await session.trainer.evaluating(() => sampleOf(session, signal));
  const figures = summaryOf(session, folder.path, result);
  const tensors = session.trainer.tensors();
  const ladders = ladderGroups(await snapshot(tensors), formatsOf(tensors));
  const { policy, trainer } = session;
  const summary = { ...figures, sample: sampled, policy, memory: trainer.memory, ladders };
  const run = await readReportRun(folder.path);
  const report = await writeReport(folder.path, { title: run.name, runs: [{ ...run, summary }] });
  // The last file of a run: where it stands, nothing is missing.
  await folder.writeSummary(summary);
  stdout.write(json ? `${stringifyNumbers(figures)}\n` : resultLines(figures, summary));
  if (signal.aborted) stderr.write(`logrung: all ${result.step} steps are done and saved\n`);
  stderr.write(`report: ${report}\n`);
  return exitCodes.success;
}

/** What the model writes; shorter where the user stops it. */
async function sampleOf(
  { config, device, policy, trainer }: Session,
  signal: AbortSignal,
): Promise<Sample | null> {
  const { length, temperature, topK } = config.sample;
  if (length === 0) return null;
  const prompt = config.sample.prompt === "" ? "\n" : config.sample.prompt;
  const stream = byteTokenizer.stream();
  const options = { length, temperature, topK, seed: config.seed };
  let text = "";
  for await (const symbol of sample(device, trainer.model, policy, byteTokenizer.encode(prompt), options)) {
    text += stream.push([symbol]);
    await breathe();
    if (signal.aborted) break;
  }
  return { prompt, text: text + stream.end() };
}
