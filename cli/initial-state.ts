/** The state that a run began with, made anew: nothing of it is kept while training. */
import { formatsOf, snapshot } from "../src/train/snapshot.ts";
import type { StoredState } from "../src/train/spread-report.ts";
import {
  openGan,
  openImages,
  openLanguage,
  openMasked,
  openTexts,
  type ImagesSession,
  type Session,
} from "./session.ts";

/** Models of more parameters would keep the user waiting, and take as much memory again. */
const mostParameters = 20_000_000;

/** Weights and moments of a session between steps, as a checkpoint has them. @throws SnapshotError. */
export async function stateOf({ trainer }: Session): Promise<StoredState> {
  const tensors = trainer.tensors();
  return { tensors: await snapshot(tensors), formats: formatsOf(tensors) };
}

/** The same of the fresh session; null for large models, and for those that began with another's weights. */
export async function initialState(session: Session): Promise<StoredState | null> {
  const { config, trainer } = session;
  const given =
    config.recipe === "huggingface" || (config.task === "texts" && config.model.from !== undefined);
  if (given || trainer.parameterCount > mostParameters) return null;
  const fresh = await openAgain(session);
  try {
    return await stateOf(fresh);
  } finally {
    await fresh.close();
  }
}

/** From the seed, on one thread. */
function openAgain(session: Session): Promise<Session> {
  const threads = 1;
  switch (session.task) {
    case "language":
      return openLanguage({ ...session.config, threads }, session.tokenizer);
    case "images":
      return openImages({ ...session.config, threads }, taskOf(session));
    case "masked":
      return openMasked({ ...session.config, threads }, session.tokenizer);
    case "texts":
      return openTexts({ ...session.config, threads }, session.tokenizer, session.classes);
    case "gan":
      return openGan({ ...session.config, threads });
  }
}

const taskOf = ({ trainer }: ImagesSession) => trainer.model.task;
