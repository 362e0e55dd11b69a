/** The encoder of a run on hidden symbols, for a classifier of texts to start from. */
import type { Tokenizer } from "../src/data/tokenizer.ts";
import type { TextsConfig } from "./config/resolve.ts";
import { UsageError } from "./errors.ts";
import { floatWeights } from "./published-folder.ts";
import { openRun } from "./open-run.ts";

/** What a classifier takes over. */
export interface TrainedEncoder {
  readonly tokenizer: Tokenizer;
  /** All of the run's, by name: those of its head fit nothing of a classifier. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

const sizes = ["name", "layers", "width", "heads", "hidden", "context"] as const;

/**
 * The newest checkpoint's, where averages are kept these.
 *
 * @throws UsageError for a run of another task, of other sizes or another level; what opening a run throws.
 */
export async function encoderOfRun(run: string, { model, data }: TextsConfig): Promise<TrainedEncoder> {
  const session = await openRun(run, undefined);
  try {
    if (session.task !== "masked")
      throw new UsageError(`model.from wants a run on hidden symbols, "${run}" learns ${session.task}`);
    const { config, tokenizer, trainer } = session;
    for (const key of sizes) {
      if (config.model[key] === model[key]) continue;
      throw new UsageError(
        `model.${key} is ${model[key]}, but ${config.model[key]} in the run of model.from`,
      );
    }
    if (config.data.level !== data.level)
      throw new UsageError(`data.level is ${data.level}, but ${config.data.level} in the run of model.from`);
    return { tokenizer, weights: await trainer.evaluating(() => floatWeights(session)) };
  } finally {
    await session.close();
  }
}
