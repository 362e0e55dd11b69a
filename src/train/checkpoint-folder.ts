/** The checkpoints of a run: which there are, which is the newest good one, which may go. Node only. */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryMark } from "../io/atomic-file.ts";
import { FileError, systemCode } from "../io/file-error.ts";
import { type Checkpoint, CheckpointError, loadCheckpoint } from "./checkpoint.ts";

/** A checkpoint file of a run, by its name alone; it may still be damaged. */
export interface CheckpointFile {
  readonly step: number;
  /** `step-<n>`, what `--checkpoint` takes. */
  readonly name: string;
  readonly path: string;
}

/** A checkpoint that was read and found whole. */
export interface LoadedCheckpoint extends CheckpointFile {
  readonly checkpoint: Checkpoint;
}

const fileName = /^step-(\d+)\.safetensors$/;

/** The folder of a run's checkpoints. */
export function checkpointsFolder(run: string): string {
  return join(run, "checkpoints");
}

/** Where the checkpoint of a step stands: `<run>/checkpoints/step-<n>.safetensors`. */
export function checkpointFile(run: string, step: number): CheckpointFile {
  const name = `step-${step}`;
  return { step, name, path: join(checkpointsFolder(run), `${name}.safetensors`) };
}

/**
 * The checkpoints of a run, oldest step first; none when the folder does not exist.
 *
 * @throws FileError when the folder cannot be read.
 */
export async function checkpointsOf(run: string): Promise<CheckpointFile[]> {
  const names = await readdir(checkpointsFolder(run)).catch((cause: unknown) => {
    if (systemCode(cause) === "ENOENT") return [];
    throw new FileError("read", checkpointsFolder(run), cause);
  });
  return names
    .flatMap((name) => fileName.exec(name)?.[1] ?? [])
    .map((step) => checkpointFile(run, Number(step)))
    .toSorted((a, b) => a.step - b.step);
}

/**
 * The newest checkpoint of a run, read and checked.
 *
 * It does not fall back to an older one by itself: going back is the user's decision, and costs steps.
 *
 * @throws CheckpointError when there is none, or the newest is damaged; then the message names the newest good
 *   one and the flag that takes it, `--checkpoint step-<n>`.
 */
export async function latestCheckpoint(run: string): Promise<LoadedCheckpoint> {
  const files = await checkpointsOf(run);
  const newest = files.at(-1);
  if (newest === undefined) {
    const reason = "the run has saved none yet (no step-<n>.safetensors)";
    throw new CheckpointError(checkpointsFolder(run), "missing", reason);
  }
  return load(run, newest);
}

async function load(run: string, file: CheckpointFile): Promise<LoadedCheckpoint> {
  try {
    return { ...file, checkpoint: await loadCheckpoint(file.path) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    const offer = await olderOffer(run, file.step);
    throw new CheckpointError(error.file, error.fault, error.reason, offer, error);
  }
}

/** Whether a checkpoint that is whole will do. */
type Accepts = (checkpoint: Checkpoint) => boolean;

/**
 * What to do about a checkpoint that cannot be used: the newest good one before it, and the flag that takes it.
 *
 * @param step     the step of the one refused.
 * @param accepts  whether a whole one will do. Default: every one.
 */
export async function olderOffer(run: string, step: number, accepts: Accepts = () => true): Promise<string> {
  const older = (await checkpointsOf(run)).filter((file) => file.step < step);
  const good = await newestGood(older, accepts);
  if (good === undefined) return "no older checkpoint of this run is whole: start the run again";
  return `the newest good one before it is taken with --checkpoint ${good.name}`;
}

async function newestGood(
  files: readonly CheckpointFile[],
  accepts: Accepts = () => true,
): Promise<CheckpointFile | undefined> {
  for (const file of files.toReversed()) {
    if (await isGood(file, accepts)) return file;
  }
  return undefined;
}

async function isGood(file: CheckpointFile, accepts: Accepts): Promise<boolean> {
  try {
    return accepts(await loadCheckpoint(file.path));
  } catch (error) {
    if (error instanceof CheckpointError || error instanceof FileError) return false;
    throw error;
  }
}

/**
 * The checkpoint a user asked for by name (`step-120` or `120`), read and checked.
 *
 * @throws CheckpointError when the run has no such checkpoint (the message lists those it has) or it is damaged
 *   (the message offers an older one).
 */
export async function namedCheckpoint(run: string, name: string): Promise<LoadedCheckpoint> {
  const files = await checkpointsOf(run);
  const wanted = files.find((file) => file.name === name || String(file.step) === name);
  if (wanted === undefined) {
    const known = files.map((file) => file.name).join(", ") || "none";
    throw new CheckpointError(join(checkpointsFolder(run), name), "missing", `the run has ${known}`);
  }
  return load(run, wanted);
}

/**
 * Removes old checkpoints down to the newest `keep`, and never the last good one: before anything goes, one of
 * those that stay is read back whole; if none is, the newest good one among the old stays too.
 *
 * @param keep  how many stay, ≥ 1.
 * @returns the files removed.
 * @throws RangeError when keep is not a whole number ≥ 1; FileError when a file cannot be removed.
 */
export async function pruneCheckpoints(run: string, keep: number): Promise<CheckpointFile[]> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new RangeError(`logrung: checkpoint.keep is ${keep}, must be a whole number ≥ 1`);
  }
  const files = await checkpointsOf(run);
  const old = files.slice(0, -keep);
  if (old.length === 0) return [];
  const spared = (await newestGood(files.slice(-keep))) ?? (await newestGood(old));
  const doomed = old.filter((file) => file.step !== spared?.step);
  for (const file of doomed) await remove(file.path);
  return doomed;
}

/**
 * Puts checkpoints later than a step aside, as `step-<n>.safetensors.superseded`: a run that goes on from an
 * older one writes its own, and those of the abandoned future must not be taken for the newest.
 *
 * @throws FileError when a file cannot be renamed.
 */
export async function supersedeCheckpoints(run: string, step: number): Promise<CheckpointFile[]> {
  const later = (await checkpointsOf(run)).filter((file) => file.step > step);
  for (const { path } of later) {
    await rename(path, `${path}.superseded`).catch((cause: unknown) => {
      throw new FileError("write", path, cause);
    });
  }
  return later;
}

/** Creates the checkpoints' folder and removes what a killed process left half written in it and in the run's. */
export async function prepareCheckpoints(run: string): Promise<void> {
  const folder = checkpointsFolder(run);
  try {
    await mkdir(folder, { recursive: true });
    for (const place of [run, folder]) {
      const names = await readdir(place);
      for (const name of names.filter((entry) => entry.includes(temporaryMark)))
        await remove(join(place, name));
    }
  } catch (cause) {
    throw cause instanceof FileError ? cause : new FileError("write", folder, cause);
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((cause: unknown) => {
    throw new FileError("write", path, cause);
  });
}
