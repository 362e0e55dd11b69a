/** The checkpoint of a session as it stands. */
import type { Checkpoint } from "../src/train/checkpoint.ts";
import type { JsonObject } from "../src/train/json.ts";
import { formatsOf, snapshot } from "../src/train/snapshot.ts";
import type { Position } from "./open-run.ts";
import type { Session } from "./session.ts";

const plain = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

/** All tensors between steps, and what a run needs to go on from here. @throws SnapshotError. */
export async function checkpointOf(
  { config, trainer }: Session,
  { step, seconds, corpus }: Position,
): Promise<Checkpoint> {
  const tensors = trainer.tensors();
  const metadata: JsonObject = {
    step,
    seconds,
    seed: config.seed,
    corpus,
    formats: formatsOf(tensors),
    trainer: plain(trainer.state),
    config: plain(config),
  };
  return { tensors: await snapshot(tensors), metadata };
}
