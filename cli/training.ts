/** One training run from request to summary: what `logrung train` does. */
import { join, resolve } from "node:path";
import { byteTokenizer } from "../src/data/byte-tokenizer.ts";
import type { Corpus } from "../src/data/corpus.ts";
import { writeFileAtomic } from "../src/io/atomic-file.ts";
import { FileError } from "../src/io/file-error.ts";
import { sample } from "../src/models/sample.ts";
import { breathe } from "../src/train/breathe.ts";
import { checkpointsOf, type LoadedCheckpoint } from "../src/train/checkpoint-folder.ts";
import { expectFinite } from "../src/train/divergence.ts";
import { readEnvironment } from "../src/train/environment.ts";
import { type JsonObject, stringifyNumbers } from "../src/train/json.ts";
import { trainingLoop, type LoopResult } from "../src/train/loop.ts";
import { createProgress, type Progress } from "../src/train/progress.ts";
import type { Sample } from "../src/train/run-summary.ts";
import { ladderGroups } from "../src/train/ladder-groups.ts";
import {
  createRunFolder,
  readRunConfig,
  readRunMetrics,
  readRunSummary,
  resumeRunFolder,
  type RunFolder,
} from "../src/train/run-folder.ts";
import { formatsOf, snapshot } from "../src/train/snapshot.ts";
import type { CommandContext, ConfigAssignment } from "./command.ts";
import { resolveConfig, type TrainConfig } from "./config/resolve.ts";
import { resumeConflicts } from "./config/resume.ts";
import { exitCodes, UsageError } from "./errors.ts";
import { resumeCommand } from "./invocation.ts";
import { writeReport } from "./report/write-report.ts";
import {
  loadCorpus,
  loadedCheckpoint,
  openSession,
  positionOf,
  restoreSession,
  type Session,
  splitOf,
} from "./session.ts";
import { describeState, resultLines, summaryOf } from "./summary.ts";
import { packageVersion } from "./version.ts";

export interface TrainRequest {
  readonly source: string | undefined;
  readonly assignments: readonly ConfigAssignment[];
  readonly resume: string | undefined;
  readonly checkpoint: string | undefined;
  readonly dryRun: boolean;
}

/** Where a run starts: nothing yet, or a folder to go on in. */
interface Start {
  readonly config: TrainConfig;
  readonly step: number;
  readonly seconds: number;
  /** Undefined for a new run. */
  readonly folder?: string;
  /** What the state comes from; undefined for fresh weights. */
  readonly loaded?: LoadedCheckpoint;
}

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

function expectSameText(corpus: Corpus, loaded: LoadedCheckpoint): void {
  if (positionOf(loaded).corpus === corpus.sha256) return;
  throw new UsageError(
    `the text of this run (${corpus.name}) is not the one it was saved with: going on would mix two texts. ` +
      `Restore the text, say where it is now with --data <path>, or start a new run`,
  );
}

async function startOf(
  { source, assignments, resume, checkpoint }: TrainRequest,
  cwd: string,
): Promise<Start> {
  if (resume === undefined) {
    return { config: await resolveConfig({ source, assignments, cwd }), step: 0, seconds: 0 };
  }
  const folder = resolve(cwd, resume);
  const saved = await readRunConfig(folder);
  const config = await resolveConfig({ base: saved, assignments, cwd });
  const conflicts = resumeConflicts(saved, config);
  if (conflicts.length > 0) {
    throw new UsageError(`a resumed run keeps its ${conflicts.join(", ")}: start a new run to change that`);
  }
  if (checkpoint === undefined && (await hasNotBegun(folder))) return { config, step: 0, seconds: 0, folder };
  const loaded = await loadedCheckpoint(folder, checkpoint);
  const { step, seconds } = positionOf(loaded);
  // A run that was stopped after its last step still lacks its figures: going on makes them.
  const ended =
    step > config.steps || (step === config.steps && (await readRunSummary(folder)) !== undefined);
  if (ended) throw new UsageError(`this run has done all its ${step} steps; --steps=<more> goes on`);
  return { config, step, seconds, folder, loaded };
}

/** Whether a run was stopped before its first checkpoint, so that there is nothing to lose. */
async function hasNotBegun(folder: string): Promise<boolean> {
  const [checkpoints, { steps }] = await Promise.all([checkpointsOf(folder), readRunMetrics(folder)]);
  return checkpoints.length === 0 && steps.length === 0;
}

async function openFolder({ config, step, folder: path }: Start, { threads }: Session): Promise<RunFolder> {
  const { recipe, seed, output } = config;
  const environment = await readEnvironment({ logrung: packageVersion(), threads, seed });
  if (path === undefined) return createRunFolder({ recipe, config, environment, path: output });
  const folder = await resumeRunFolder(path, step, environment);
  try {
    // What may change on resuming (more steps, other intervals) holds from now on.
    await writeFileAtomic(join(folder.path, "config.json"), `${stringifyNumbers(config, 2)}\n`);
    return folder;
  } catch (error) {
    await folder.close();
    throw error;
  }
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
  const sampled = await sampleOf(session, signal);
  const figures = summaryOf(session, folder.path, result);
  const tensors = session.trainer.tensors();
  const ladders = ladderGroups(await snapshot(tensors), formatsOf(tensors));
  await folder.writeSummary({ ...figures, sample: sampled, ladders });
  const report = await writeReport(folder.path);
  stdout.write(json ? `${stringifyNumbers(figures)}\n` : resultLines(figures, sampled));
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
