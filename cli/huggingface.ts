/** Between Hugging Face's folders and run folders. */
import { HuggingFaceError } from "../src/models/huggingface.ts";
import type { ConfigAssignment } from "./command.ts";
import type { PublishedFiles } from "./conversion.ts";
import { UsageError } from "./errors.ts";
import { bertFiles, bertRun } from "./huggingface-bert.ts";
import { gpt2Files, gpt2Run } from "./huggingface-gpt2.ts";
import { vitFiles, vitRun } from "./huggingface-vit.ts";
import { type Converted, expectNoModel, makeRun, readPublished, writePublished } from "./published-folder.ts";
import { openRun, type OpenedRun } from "./open-run.ts";

/** By `model_type`: what makes a session of a published model. */
const readers = { gpt2: gpt2Run, bert: bertRun, vit: vitRun } as const;

/**
 * Makes a run of a published model: it can be scored and trained on (`train --resume <run> --data <path>`), a GPT-2 sampled from, too; classifiers
 * of texts start from a BERT (`train --model.from <run>`).
 *
 * @param assignments  of the run's configuration: the optimiser and the precision that the weights go into.
 * @throws HuggingFaceError for a model that is not read, and what reading and writing throw.
 */
export async function toRun(
  from: string,
  to: string,
  assignments: readonly ConfigAssignment[],
  cwd: string,
): Promise<Converted> {
  const published = await readPublished(from);
  const { model_type: type = "gpt2" } = published.config;
  const read = Object.entries(readers).find(([name]) => name === type)?.[1];
  if (!read) {
    const known = Object.keys(readers).map((name) => `"${name}"`);
    throw new HuggingFaceError(
      `config.json: "model_type" is ${JSON.stringify(type)}, wants ${known.join(" or ")}`,
    );
  }
  const { session, files } = await read({ published, from, assignments, cwd });
  return makeRun(session, to, files);
}

/**
 * Writes a run's GPT-2, BERT or ViT as Hugging Face publishes it, its weights in float32; vocabulary, classes and normalisation, too.
 *
 * @throws UsageError for a run of another model, or a folder that holds a model already.
 */
export async function toHuggingFace(
  run: string,
  to: string,
  checkpoint: string | undefined,
): Promise<Converted> {
  expectNoModel(to);
  const session = await openRun(run, checkpoint);
  try {
    const { trainer } = session;
    const { published, files } = await trainer.evaluating(() => filesOf(session, run));
    await writePublished(to, published, files);
    return { folder: to, parameters: trainer.parameterCount };
  } finally {
    await session.close();
  }
}

async function filesOf(session: OpenedRun, run: string) {
  const found = await ofTask(session, run);
  if (found) return found;
  throw new UsageError(
    `convert writes runs of gpt2, bert and vit, this one is of ${session.config.model.name}`,
  );
}

function ofTask(session: OpenedRun, run: string): Promise<PublishedFiles | null> {
  switch (session.task) {
    case "language":
      return gpt2Files(session);
    case "masked":
    case "texts":
      return bertFiles(session);
    case "images":
      return vitFiles(session, run);
    case "gan":
      return Promise.resolve(null);
  }
}
