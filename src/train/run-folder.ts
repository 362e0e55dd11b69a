/**
 * A run is a folder:
 *
 *   config.json                      what was asked for, every default resolved
 *   environment.json                 what it ran on; one entry a session
 *   tokenizer/                       the vocabulary of a language model, where its symbols are not bytes
 *   metrics.jsonl                    one line a step
 *   checkpoints/step-<n>.safetensors codes, scales, optimiser state, position
 *   summary.json                     the figures at the end, the sample, the weights' histogram
 *   report.html                      the same, to look at
 *
 * Node only. While a run is open, a lock keeps other processes from training in the same folder.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { writeFileAtomic } from "../io/atomic-file.ts";
import { FileError, systemCode } from "../io/file-error.ts";
import { type Checkpoint, saveCheckpoint } from "./checkpoint.ts";
import {
  type CheckpointFile,
  checkpointFile,
  prepareCheckpoints,
  pruneCheckpoints,
  supersedeCheckpoints,
} from "./checkpoint-folder.ts";
import type { Environment } from "./environment.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { parseMetrics, type ReadMetrics, type StepMetrics } from "./metrics.ts";
import { type MetricsFile, openMetricsFile } from "./metrics-file.ts";
import { lockRun } from "./run-lock.ts";
import type { RunSummary } from "./run-summary.ts";

/** The folder is not a run, or cannot become one. */
export class RunFolderError extends Error {
  override readonly name = "RunFolderError";
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`logrung: "${path}" ${reason}`);
    this.path = path;
  }
}

/** An open run: it holds the lock until it is closed. */
export interface RunFolder {
  readonly path: string;
  readonly config: JsonObject;
  /** Appends a line to `metrics.jsonl`. @throws FileError; the line is kept and written with the next. */
  appendMetrics(metrics: StepMetrics): void;
  /**
   * Makes the metrics so far durable, saves the checkpoint of a step, then removes old ones.
   *
   * @param keep  how many checkpoints stay, ≥ 1.
   */
  saveCheckpoint(step: number, checkpoint: Checkpoint, keep: number): Promise<CheckpointFile>;
  /** Writes `summary.json`. A figure that is not finite is null there. */
  writeSummary(summary: RunSummary): Promise<void>;
  /** Writes pending metrics and gives the folder free; closing twice does nothing. */
  close(): Promise<void>;
}

export interface NewRun {
  /** Name of the recipe, part of the folder's name. */
  readonly recipe: string;
  /** The resolved configuration. */
  readonly config: object;
  readonly environment: Environment;
  /** The folder itself; default `runs/<recipe>-<date>-<time>-<suffix>` in the working folder. */
  readonly path?: string | undefined;
  readonly now?: Date;
}

/** `own-source-20260131-235959-3fa2`: sorts by time, and two runs of one second differ. Local time. */
export function runName(recipe: string, now: Date, suffix: string): string {
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const plain = recipe.replaceAll(/[^\w.-]+/g, "-").replaceAll(/^[-.]+|-+$/g, "") || "run";
  return `${plain}-${date}-${time}-${suffix}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/**
 * Makes a run folder and opens it.
 *
 * @throws RunFolderError when the given folder already holds a run (resume it, or name another).
 * @throws FileError when the folder cannot be written, RunLockedError when another process is in it.
 */
export async function createRunFolder(run: NewRun): Promise<RunFolder> {
  const suffix = randomBytes(2).toString("hex");
  const path = resolve(run.path ?? join("runs", runName(run.recipe, run.now ?? new Date(), suffix)));
  await makeFolder(path);
  return openLocked(path, async () => {
    if ((await readdir(path)).includes("config.json")) {
      throw new RunFolderError(path, "already holds a run: go on with --resume, or name another --output");
    }
    await writeJson(join(path, "environment.json"), { sessions: [run.environment] });
    await writeJson(join(path, "config.json"), run.config);
    return openAt(path, 0);
  });
}

/**
 * Opens a run to go on after a step: metrics of later steps are dropped, later checkpoints put aside, an end's
 * summary goes, as it will be another, and the session's environment is added to `environment.json`.
 *
 * @param step  the step of the checkpoint that was loaded.
 * @throws RunFolderError when the folder is no run, FileError, RunLockedError as {@link createRunFolder}.
 */
export async function resumeRunFolder(
  path: string,
  step: number,
  environment: Environment,
): Promise<RunFolder> {
  const folder = resolve(path);
  await readRunConfig(folder);
  return openLocked(folder, async () => {
    await addSession(join(folder, "environment.json"), environment);
    await supersedeCheckpoints(folder, step);
    await removeFile(join(folder, "summary.json"));
    return openAt(folder, step);
  });
}

async function openLocked(
  path: string,
  open: () => Promise<Omit<RunFolder, "close"> & { closeMetrics(): void }>,
): Promise<RunFolder> {
  const lock = await lockRun(join(path, "run.lock"));
  try {
    const { closeMetrics, ...run } = await open();
    return {
      ...run,
      async close() {
        try {
          closeMetrics();
        } finally {
          await lock.release();
        }
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openAt(
  path: string,
  step: number,
): Promise<Omit<RunFolder, "close"> & { closeMetrics(): void }> {
  await prepareCheckpoints(path);
  const config = await readRunConfig(path);
  const metrics: MetricsFile = await openMetricsFile(join(path, "metrics.jsonl"), step);
  return {
    path,
    config,
    appendMetrics: (line) => metrics.append(line),
    async saveCheckpoint(at, checkpoint, keep) {
      metrics.sync();
      const file = checkpointFile(path, at);
      await saveCheckpoint(file.path, checkpoint);
      await pruneCheckpoints(path, keep);
      return file;
    },
    writeSummary: (summary) => writeJson(join(path, "summary.json"), summary),
    closeMetrics: () => metrics.close(),
  };
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    // Node says ENOENT for parents that a read-only file system refuses; a plain mkdir says the true reason.
    const cause = systemCode(error) === "ENOENT" ? await reasonFor(path) : error;
    throw new FileError("write", path, systemCode(cause) === "EEXIST" ? notAFolder(cause) : cause);
  }
}

/** Why the outermost missing folder of a path cannot be made. */
async function reasonFor(path: string): Promise<unknown> {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) return reasonFor(parent);
  return mkdir(path).then(
    () => new Error("the folder could not be made"),
    (cause: unknown) => cause,
  );
}

function notAFolder(cause: unknown): Error {
  return Object.assign(new Error("there is a file of that name", { cause }), { code: "ENOTDIR" });
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw new FileError("write", path, cause);
  });
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

async function addSession(path: string, environment: Environment): Promise<void> {
  const before = await readJsonFile(path);
  const sessions = Array.isArray(before?.sessions) ? before.sessions : [];
  await writeJson(path, { sessions: [...sessions, environment] });
}

/**
 * The resolved configuration of a run.
 *
 * @throws RunFolderError when the folder holds no readable `config.json`.
 */
export async function readRunConfig(path: string): Promise<JsonObject> {
  const config = await readJsonFile(join(path, "config.json"));
  if (config === undefined) throw new RunFolderError(path, "is not a run: it holds no config.json");
  return config;
}

/** `summary.json` of a run, undefined where the run has not ended. @throws RunFolderError, FileError. */
export async function readRunSummary(path: string): Promise<Partial<RunSummary> | undefined> {
  return (await readJsonFile(join(path, "summary.json"))) as Partial<RunSummary> | undefined;
}

/** The sessions in `environment.json`, oldest first. @throws RunFolderError, FileError. */
export async function readRunSessions(path: string): Promise<readonly JsonObject[]> {
  const sessions = (await readJsonFile(join(path, "environment.json")))?.sessions;
  return Array.isArray(sessions) ? sessions.filter(isJsonObject) : [];
}

/** The metrics of a run; none where it has written none. @throws MetricsError, FileError. */
export async function readRunMetrics(path: string): Promise<ReadMetrics> {
  const file = join(path, "metrics.jsonl");
  return parseMetrics((await readTextFile(file)) ?? "", file);
}

async function readJsonFile(path: string): Promise<JsonObject | undefined> {
  const text = await readTextFile(path);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new RunFolderError(path, `is not JSON: ${(cause as Error).message}`);
  }
  throw new RunFolderError(path, "is not a JSON object");
}

async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw new FileError("read", path, cause);
  }
}
