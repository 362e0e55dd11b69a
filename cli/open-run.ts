/** A run's model at a checkpoint: found, built as its configuration says, and its state written over. */
import { openTokenizer } from "../src/data/language-data.ts";
import type { Tokenizer } from "../src/data/tokenizer.ts";
import {
  latestCheckpoint,
  type LoadedCheckpoint,
  namedCheckpoint,
  olderOffer,
} from "../src/train/checkpoint-folder.ts";
import { type Checkpoint, CheckpointError } from "../src/train/checkpoint.ts";
import { isJsonObject, type JsonObject } from "../src/train/json.ts";
import { readRunConfig } from "../src/train/run-folder.ts";
import { keptTokenizer } from "../src/train/run-tokenizer.ts";
import { misfit, restore } from "../src/train/snapshot.ts";
import type { TrainerState } from "../src/train/trainer.ts";
import { type GanRunConfig, type ImagesConfig, resolveConfig, type TrainConfig } from "./config/resolve.ts";
import { resumeConflicts } from "./config/resume.ts";
import { UsageError } from "./errors.ts";
import { imageFolderName } from "./image-sets.ts";
import { keptClasses } from "./kept-classes.ts";
import { isHuggingFace } from "./published-folder.ts";
import {
  imageTaskOf,
  openGan,
  openImages,
  openLanguage,
  openMasked,
  openTexts,
  type Session,
} from "./session.ts";

/** The tokeniser that a run was begun with. @throws TokenizerError, FileError where its files are missing or damaged. */
export const tokenizerOf = async (
  run: string,
  { data }: Exclude<TrainConfig, ImagesConfig | GanRunConfig>,
): Promise<Tokenizer> => openTokenizer(data.level, await keptTokenizer(run));

/** What a checkpoint says of the run besides its tensors. */
export interface Position {
  readonly step: number;
  readonly seconds: number;
  /** Sum of the data; empty where none has been seen. */
  readonly corpus: string;
}

/** @throws CheckpointError when the metadata is not a run's. */
export function positionOf({ path, checkpoint: { metadata } }: LoadedCheckpoint): Position {
  const { step, seconds, corpus } = metadata;
  if (typeof step !== "number" || typeof seconds !== "number" || typeof corpus !== "string") {
    throw new CheckpointError(path, "foreign", "its metadata lacks step, seconds or corpus");
  }
  return { step, seconds, corpus };
}

/**
 * Writes a checkpoint over a session's fresh state, all or nothing.
 *
 * @throws CheckpointError when its tensors or its settings are another run's; the message offers an older one.
 */
export async function restoreSession(
  { config, trainer }: Session,
  run: string,
  loaded: LoadedCheckpoint,
): Promise<void> {
  const tensors = trainer.tensors();
  const faultOf = ({ tensors: saved, metadata }: Checkpoint): string | undefined =>
    misfit(tensors, saved) ?? otherRun(metadata, config);
  const fault = faultOf(loaded.checkpoint);
  if (fault !== undefined) {
    const offer = await olderOffer(run, loaded.step, (checkpoint) => faultOf(checkpoint) === undefined);
    throw new CheckpointError(loaded.path, "unfit", fault, offer);
  }
  restore(tensors, loaded.checkpoint.tensors);
  trainer.resume(loaded.step, trainerState(loaded.checkpoint.metadata));
}

/** What the trainer kept; older checkpoints say nothing of it. */
function trainerState({ trainer }: JsonObject): TrainerState {
  const plateau = isJsonObject(trainer) ? trainer.plateau : undefined;
  if (!isJsonObject(plateau)) return {};
  const { best, waited, factor } = plateau;
  const known = typeof waited === "number" && typeof factor === "number";
  return known ? { plateau: { best: typeof best === "number" ? best : null, waited, factor } } : {};
}

function otherRun({ config: saved }: JsonObject, config: TrainConfig): string | undefined {
  const conflicts = isJsonObject(saved) ? resumeConflicts(saved, config) : [];
  return conflicts.length === 0 ? undefined : `it is of a run with another ${conflicts.join(", ")}`;
}

/** The checkpoint a user asked for, or the newest. */
export const loadedCheckpoint = (run: string, name: string | undefined): Promise<LoadedCheckpoint> =>
  name === undefined ? latestCheckpoint(run) : namedCheckpoint(run, name);

/** A run's model at a checkpoint. */
export type OpenedRun = Session & { readonly loaded: LoadedCheckpoint; readonly position: Position };

/** Opens a run's model at a checkpoint, to score it or to sample from it. */
export async function openRun(
  run: string,
  checkpoint: string | undefined,
  changes: JsonObject = {},
): Promise<OpenedRun> {
  if (isHuggingFace(run))
    throw new UsageError(
      `"${run}" is a published model, no run: logrung convert <folder> --to logrung <run>`,
    );
  const saved = await readRunConfig(run);
  const loaded = await loadedCheckpoint(run, checkpoint);
  const position = positionOf(loaded);
  const config = await resolveConfig({ base: merged(saved, changes) });
  const session = await openFresh(config, run);
  try {
    await restoreSession(session, run, loaded);
  } catch (error) {
    await session.close();
    throw error;
  }
  return { ...session, loaded, position };
}

async function openFresh(config: TrainConfig, run: string): Promise<Session> {
  switch (config.task) {
    case "language":
      return openLanguage(config, await tokenizerOf(run, config));
    case "images":
      return openImages(config, imageTaskOf(config, await classesOfFolder(config, run)));
    case "masked":
      return openMasked(config, await tokenizerOf(run, config));
    case "gan":
      return openGan(config);
    case "texts":
      return openTexts(config, await tokenizerOf(run, config), await keptClasses(run));
  }
}

/** The classes of a run on a folder of images; those of a set are its own. */
export const classesOfFolder = async ({ data }: ImagesConfig, run: string): Promise<string[] | undefined> =>
  data.name === imageFolderName ? keptClasses(run) : undefined;

function merged(base: JsonObject, changes: JsonObject): JsonObject {
  const entries = Object.entries(changes).map(([key, value]) => {
    const before = base[key];
    return [key, isJsonObject(before) && isJsonObject(value) ? { ...before, ...value } : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}
