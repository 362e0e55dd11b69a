/** Telling hidden symbols as a task: a text with some of its symbols hidden, and what they were. */
import { maskedBatch, sequentialMasked, type MaskedBatch, type MaskedPlan } from "../data/masked-batches.ts";
import type { SymbolText } from "../data/symbols.ts";
import type { MaskedModel } from "../models/encoder.ts";
import { outputJudged, outputLoss } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { partLength, type Feed, type Task } from "./task.ts";
import { createTaskTrainer, type Trainer, type TrainingOptions } from "./trainer.ts";

/** Trains a model that tells hidden symbols. Build with {@link createMaskedTrainer}. */
export type MaskedTrainer = Trainer<MaskedBatch, MaskedModel>;

export interface MaskedTrainerSpec extends TrainingOptions {
  readonly model: MaskedModel;
}

/** Mean cross entropy of the hidden symbols, nats each; judged by the share told right, too. */
export function maskedTask(device: Device, model: MaskedModel): Task<MaskedBatch, MaskedModel> {
  const integers = (values: Int32Array): Tensor => device.tensor(values, [values.length]);
  const statesOf = ({ inputs, rows, places }: MaskedBatch, pass: Pass): Tensor =>
    model.statesAt({ ids: integers(inputs), batch: rows }, integers(places), pass);
  return {
    model,
    loss: (batch, pass) => outputLoss(statesOf(batch, pass), model.output, integers(batch.targets), pass),
    async measure(batch, pass) {
      const { targets } = batch;
      const judged = outputJudged(statesOf(batch, pass), model.output, integers(targets), pass);
      const loss = await item(judged.loss);
      const right = Array.from(await readTensor(judged.right));
      return { count: targets.length, loss, correct: right.reduce((sum, hit) => sum + hit, 0) };
    },
    parts,
  };
}

function parts(batch: MaskedBatch, count: number): MaskedBatch[] {
  const rows = partLength(batch.rows, count);
  const { context } = batch;
  const hidden = batch.places.length / batch.rows;
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i * rows, (i + 1) * rows];
    return {
      rows,
      context,
      inputs: batch.inputs.subarray(from * context, to * context),
      places: batch.places.subarray(from * hidden, to * hidden).map((place) => place - from * context),
      targets: batch.targets.subarray(from * hidden, to * hidden),
    };
  });
}

/** Windows drawn at random for training, one after the other and with fixed masks for validation. */
export function maskedFeed(
  { training, validation }: { readonly training: SymbolText; readonly validation: SymbolText },
  {
    limit,
    ...plan
  }: MaskedPlan & {
    /** Most batches of a validation. */
    readonly limit: number;
  },
): Feed<MaskedBatch> {
  return {
    unit: "tokens",
    perStep: plan.rows * plan.context,
    training: (step) => maskedBatch(training, step, plan),
    validation: () => sequentialMasked(validation, { ...plan, limit }),
  };
}

/**
 * Prepares training of a model that tells hidden symbols: groups are made and weights move into their formats.
 *
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
 */
export const createMaskedTrainer = ({ model, ...options }: MaskedTrainerSpec): Promise<MaskedTrainer> =>
  createTaskTrainer({ ...options, task: maskedTask(options.device, model) });
