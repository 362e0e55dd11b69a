/** The pictures of a run's report, made from one of its checkpoints. */
import type { JudgedImages } from "../src/train/image-report.ts";
import type { RunSummary } from "../src/train/run-summary.ts";
import { attentionToImages } from "./attention/images.ts";
import { attentionToText, classifiedOf, firstOf, givenText, maskedOf } from "./attention/texts.ts";
import { UsageError } from "./errors.ts";
import { openFolders } from "./image-folders.ts";
import { imageFolderName } from "./image-sets.ts";
import { keptClasses } from "./kept-classes.ts";
import { loadLabelled } from "./labelled-texts.ts";
import { loadLanguage } from "./language-data.ts";
import { numbersOf } from "./number-pictures.ts";
import { openRun } from "./open-run.ts";
import type { ImagesSession, Session } from "./session.ts";
import { fewInOrder } from "./tasks/image-folder.ts";
import { normalisationOf } from "./tasks/image-lines.ts";
import { loadTestImages } from "./tasks/images.ts";
import { maskedPlan } from "./tasks/masked.ts";
import { orderedImages } from "../src/data/image-batches.ts";

/** Pictures that take the place of those of a run's end. */
export type CheckpointPictures = Pick<RunSummary, "attention" | "ladders" | "spreads">;

/**
 * Opens a run at a checkpoint and looks at it: numbers in their formats, and attention, to validation examples or to a text.
 *
 * @param checkpoint  `step-<n>`; default the newest.
 * @param text        to attend to, in place of a validation example.
 * @throws UsageError for a text where the run is not of texts, and what opening runs and reading data throw.
 */
export async function checkpointPictures(
  run: string,
  checkpoint: string | undefined,
  text: string | undefined,
): Promise<CheckpointPictures> {
  const session = await openRun(run, checkpoint);
  try {
    const seen = await session.trainer.evaluating(() => attentionOfRun(session, run, text));
    return { ...seen, ...(await numbersOf(session)) };
  } finally {
    await session.close();
  }
}

async function attentionOfRun(
  session: Session,
  run: string,
  text: string | undefined,
): Promise<Pick<RunSummary, "attention">> {
  if (session.task === "images" || session.task === "gan") {
    if (text !== undefined) throw new UsageError("--text is for runs on texts, this one is on images");
    return session.task === "gan" ? {} : attentionToImages(session, await imagesOf(session, run));
  }
  if (text !== undefined) return attentionToText(session, givenText(session, text));
  if (session.task === "texts") {
    const { validation } = await loadLabelled(session.config, session);
    return attentionToText(session, classifiedOf(session, validation));
  }
  const data = await loadLanguage(session.config, session.tokenizer);
  try {
    const example =
      session.task === "language"
        ? firstOf(session, data.validation)
        : maskedOf(session, data.validation, maskedPlan(session));
    return await attentionToText(session, example);
  } finally {
    data.close();
  }
}

async function imagesOf({ config }: ImagesSession, run: string): Promise<JudgedImages> {
  if (config.data.name === imageFolderName) {
    const { validation } = await openFolders(config, await keptClasses(run));
    return { ...validation, batches: fewInOrder(config, validation) };
  }
  const set = await loadTestImages(config);
  return { ...set, batches: orderedImages(set, config.batch, normalisationOf(config)) };
}
