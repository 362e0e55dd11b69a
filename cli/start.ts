/** Where a training run starts: fresh, or from a checkpoint of a run to go on with. */
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../src/io/atomic-file.ts";
import { checkpointsOf, type LoadedCheckpoint } from "../src/train/checkpoint-folder.ts";
import { readEnvironment } from "../src/train/environment.ts";
import { stringifyNumbers } from "../src/train/json.ts";
import {
  createRunFolder,
  readRunConfig,
  readRunMetrics,
  readRunSummary,
  resumeRunFolder,
  type RunFolder,
} from "../src/train/run-folder.ts";
import type { ConfigAssignment } from "./command.ts";
import { resolveConfig, type TrainConfig } from "./config/resolve.ts";
import { resumeConflicts } from "./config/resume.ts";
import { UsageError } from "./errors.ts";
import { loadedCheckpoint, positionOf } from "./open-run.ts";
import type { Session } from "./session.ts";
import type { Prepared } from "./tasks/work.ts";
import { packageVersion } from "./version.ts";

/** What `logrung train` was asked for. */
export interface TrainRequest {
  readonly source: string | undefined;
  readonly assignments: readonly ConfigAssignment[];
  readonly resume: string | undefined;
  readonly checkpoint: string | undefined;
  readonly dryRun: boolean;
}

/** Where a run starts: nothing yet, or a folder to go on in. */
export interface Start {
  readonly config: TrainConfig;
  readonly step: number;
  readonly seconds: number;
  /** Undefined for a new run. */
  readonly folder?: string;
  /** What the state comes from; undefined for fresh weights. */
  readonly loaded?: LoadedCheckpoint;
}

/**
 * Resolves what the user asked for; for a run to go on with, reads its checkpoint.
 *
 * @throws ConfigError, UsageError, RunFolderError, CheckpointError for what cannot be, before anything is written.
 */
export async function startOf(
  { source, assignments, resume, checkpoint }: TrainRequest,
  cwd: string,
): Promise<Start> {
  if (resume === undefined) {
    return { config: await resolveConfig({ source, assignments, cwd }), step: 0, seconds: 0 };
  }
  const folder = resolve(cwd, resume);
  const saved = await readRunConfig(folder);
  const resolved = await resolveConfig({ base: saved, assignments, cwd });
  // The folder may have been moved or copied since.
  const config = resolved.output === undefined ? resolved : { ...resolved, output: folder };
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

/** Makes the run's folder, or opens it to go on. @throws RunFolderError, RunLockedError, FileError. */
export async function openFolder(
  { config, step, folder: path }: Start,
  { threads }: Session,
): Promise<RunFolder> {
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

const otherImages = [
  "images",
  "are not those it was saved with: going on would mix two sets",
  "Restore the images, say where they are now with --data <folder> or, of a set, --data-dir <folder>, or start a new run",
] as const;

/** What is wrong with other data, and what would do, by task. */
const oneText = [
  "text",
  "is not the one it was saved with: going on would mix two texts",
  "Restore the text, say where it is now with --data <path> or --data-dir <folder>, or start a new run",
] as const;
const otherData = {
  language: oneText,
  masked: oneText,
  texts: [
    "texts",
    "are not those it was saved with: going on would mix two sets",
    "Restore the texts, say where they are now with --data <path>, or start a new run",
  ],
  images: otherImages,
  gan: otherImages,
} as const;

/** @throws UsageError when a checkpoint was trained on other data. */
export function expectSameData(
  { name, sha256 }: Prepared,
  { config: { task } }: Start,
  loaded: LoadedCheckpoint,
): void {
  const { corpus } = positionOf(loaded);
  if (corpus === sha256 || corpus === "") return;
  const [what, fault, remedy] = otherData[task];
  throw new UsageError(`the ${what} of this run (${name}) ${fault}. ${remedy}`);
}
