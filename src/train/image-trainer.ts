/** Image classification as a task. */
import type { ImageBatch } from "../data/image-batches.ts";
import type { ImageModel } from "../models/image-model.ts";
import type { Pass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { smoothedCrossEntropy } from "../ops/smoothed-cross-entropy.ts";
import type { Device } from "../tensor/device.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { countEqual, likeliest } from "./likeliest.ts";
import { partLength, type Task } from "./task.ts";
import { createTaskTrainer, type Trainer, type TrainingOptions } from "./trainer.ts";

/** Trains a model that classifies images. Build with {@link createImageTrainer}. */
export type ImageTrainer = Trainer<ImageBatch, ImageModel>;

export interface ImageTrainerSpec extends TrainingOptions {
  readonly model: ImageModel;
  /** Share of a target's probability that is spread over all classes, in training. Default 0. */
  readonly labelSmoothing?: number;
}

/** The logits of a batch, [images, classes]. */
export function scoresOf(
  device: Device,
  model: ImageModel,
  { pixels, rows }: ImageBatch,
  pass: Pass,
): Tensor {
  const { channels } = model.task;
  return model.logits(device.tensor(pixels, [pixels.length / channels, channels]), rows, pass);
}

/**
 * Mean cross entropy of the class, in training against smoothed and mixed labels; judged by the plain cross entropy and the share
 * of images whose likeliest class is theirs.
 */
export function imageTask(device: Device, model: ImageModel, smoothing = 0): Task<ImageBatch, ImageModel> {
  const targets = (labels: Int32Array): Tensor => device.tensor(labels, [labels.length]);
  return {
    model,
    loss(batch, pass) {
      const logits = scoresOf(device, model, batch, pass);
      const { labels, mixture } = batch;
      if (smoothing === 0 && mixture === null) return crossEntropy(logits, targets(labels));
      const mixed = mixture && { targets: targets(mixture.labels), share: mixture.share };
      return smoothedCrossEntropy(logits, targets(labels), { smoothing, mixture: mixed });
    },
    async measure(batch, pass) {
      const logits = scoresOf(device, model, batch, pass);
      const loss = await item(crossEntropy(logits, targets(batch.labels)));
      const found = likeliest(await readTensor(logits), model.task.classes);
      return { count: batch.rows, loss, correct: countEqual(found, batch.labels) };
    },
    parts: imageParts,
  };
}

/** A batch of images as so many equal parts. @throws RangeError when it does not divide evenly. */
export function imageParts(batch: ImageBatch, count: number): ImageBatch[] {
  const rows = partLength(batch.rows, count);
  const size = batch.pixels.length / batch.rows;
  const { mixture } = batch;
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i * rows, (i + 1) * rows];
    return {
      rows,
      pixels: batch.pixels.subarray(from * size, to * size),
      labels: batch.labels.subarray(from, to),
      mixture: mixture && { ...mixture, labels: mixture.labels.subarray(from, to) },
    };
  });
}

/**
 * Prepares training of an image classifier: groups are made and weights move into their formats.
 *
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
 */
export const createImageTrainer = ({
  model,
  labelSmoothing = 0,
  ...options
}: ImageTrainerSpec): Promise<ImageTrainer> =>
  createTaskTrainer({ ...options, task: imageTask(options.device, model, labelSmoothing) });
