/** Telling the classes of texts as a task. */
import { orderedTexts, trainingTexts, type TextBatch, type TextExample } from "../data/text-batches.ts";
import type { SpecialSymbols } from "../data/special-symbols.ts";
import type { TextClassifier } from "../models/encoder.ts";
import type { Pass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { smoothedCrossEntropy } from "../ops/smoothed-cross-entropy.ts";
import type { Device } from "../tensor/device.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { countEqual, likeliest } from "./likeliest.ts";
import { partLength, type Feed, type Task } from "./task.ts";
import { createTaskTrainer, type Trainer, type TrainingOptions } from "./trainer.ts";

/** Trains a classifier of texts. Build with {@link createTextTrainer}. */
export type TextTrainer = Trainer<TextBatch, TextClassifier>;

export interface TextTrainerSpec extends TrainingOptions {
  readonly model: TextClassifier;
  /** Share of a target's probability that is spread over all classes, in training. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Mean cross entropy of the class, in training against smoothed labels; judged by the plain cross entropy and the share of texts whose
 * likeliest class is theirs.
 */
export function textTask(
  device: Device,
  model: TextClassifier,
  smoothing = 0,
): Task<TextBatch, TextClassifier> {
  const integers = (values: Int32Array): Tensor => device.tensor(values, [values.length]);
  const logitsOf = ({ ids, types, rows, lengths }: TextBatch, pass: Pass): Tensor =>
    model.logits({ ids: integers(ids), types: integers(types), batch: rows, lengths }, pass);
  return {
    model,
    loss(batch, pass) {
      const [logits, targets] = [logitsOf(batch, pass), integers(batch.labels)];
      if (smoothing === 0) return crossEntropy(logits, targets);
      return smoothedCrossEntropy(logits, targets, { smoothing, mixture: null });
    },
    async measure(batch, pass) {
      const logits = logitsOf(batch, pass);
      const loss = await item(crossEntropy(logits, integers(batch.labels)));
      const found = likeliest(await readTensor(logits), model.classes);
      return { count: batch.rows, loss, correct: countEqual(found, batch.labels) };
    },
    parts,
  };
}

function parts({ rows, length, ...batch }: TextBatch, count: number): TextBatch[] {
  const share = partLength(rows, count);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i * share, (i + 1) * share];
    return {
      rows: share,
      length,
      ids: batch.ids.subarray(from * length, to * length),
      types: batch.types.subarray(from * length, to * length),
      lengths: batch.lengths.subarray(from, to),
      labels: batch.labels.subarray(from, to),
    };
  });
}

/** Epochs of training texts in random order; those that validate in theirs. */
export function labelledFeed(
  data: { readonly training: readonly TextExample[]; readonly validation: readonly TextExample[] },
  options: { readonly seed: number; readonly rows: number; readonly symbols: SpecialSymbols },
): Feed<TextBatch> {
  return {
    unit: "samples",
    perStep: options.rows,
    training: (step) => trainingTexts(data.training, { ...options, step }),
    validation: () => orderedTexts(data.validation, options),
  };
}

/**
 * Prepares training of a classifier of texts: groups are made and weights move into their formats.
 *
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
 */
export const createTextTrainer = ({
  model,
  labelSmoothing = 0,
  ...options
}: TextTrainerSpec): Promise<TextTrainer> =>
  createTaskTrainer({ ...options, task: textTask(options.device, model, labelSmoothing) });
