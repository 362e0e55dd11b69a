/** Language modelling as a task: windows of a text, and what follows each symbol. */
import { sequentialBatches, trainingBatch, type Batch } from "../data/batches.ts";
import type { LanguageData } from "../data/language-data.ts";
import type { LanguageModel } from "../models/model.ts";
import { outputLoss } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import { item, type Tensor } from "../tensor/tensor.ts";
import { partLength, type Feed, type Task } from "./task.ts";
import { createTaskTrainer, type Trainer, type TrainingOptions } from "./trainer.ts";

/** Trains a language model. Build with {@link createTrainer}. */
export type LanguageTrainer = Trainer<Batch, LanguageModel>;

export interface LanguageTrainerSpec extends TrainingOptions {
  readonly model: LanguageModel;
}

/** Mean cross entropy of the next symbol, nats a token. */
export function languageTask(device: Device, model: LanguageModel): Task<Batch, LanguageModel> {
  const loss = (batch: Batch, pass: Pass): Tensor => {
    const tokens = [batch.rows * batch.context];
    const states = model.states(device.tensor(batch.inputs, tokens), batch.rows, pass);
    return outputLoss(states, model.output, device.tensor(batch.targets, tokens), pass);
  };
  return {
    model,
    loss,
    measure: async (batch, pass) => ({
      count: batch.rows * batch.context,
      loss: await item(loss(batch, pass)),
    }),
    parts,
  };
}

function parts(batch: Batch, count: number): Batch[] {
  const { context, inputs, targets } = batch;
  const rows = partLength(batch.rows, count);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i * rows * context, (i + 1) * rows * context];
    return { rows, context, inputs: inputs.subarray(from, to), targets: targets.subarray(from, to) };
  });
}

/** Windows drawn at random for training, one after the other for validation. */
export function textFeed(
  data: Pick<LanguageData, "training" | "validation">,
  options: {
    readonly seed: number;
    /** Windows a batch. */
    readonly rows: number;
    readonly context: number;
    /** Most batches of a validation. */
    readonly limit: number;
  },
): Feed<Batch> {
  const { seed, rows, context, limit } = options;
  return {
    unit: "tokens",
    perStep: rows * context,
    training: (step) => trainingBatch(data.training, { seed, step, rows, context }),
    validation: () => sequentialBatches(data.validation, { rows, context, limit }),
  };
}

/**
 * Prepares training of a language model: groups are made and weights move into their formats.
 *
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
 */
export const createTrainer = ({ model, ...options }: LanguageTrainerSpec): Promise<LanguageTrainer> =>
  createTaskTrainer({ ...options, task: languageTask(options.device, model) });
