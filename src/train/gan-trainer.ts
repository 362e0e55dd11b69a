/** A conditional GAN as a task: two networks that train each other. */
import type { ImageBatch } from "../data/image-batches.ts";
import type { Normalisation } from "../data/image-set.ts";
import type { GanModel } from "../models/gan.ts";
import type { Pass } from "../nn/pass.ts";
import { withoutGradients } from "../nn/without-gradients.ts";
import { discriminatorHingeLoss, generatorHingeLoss } from "../ops/adversarial-losses.ts";
import { normal } from "../random/normal.ts";
import type { Key } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import { item, type Tensor } from "../tensor/tensor.ts";
import { imageParts } from "./image-trainer.ts";
import type { Task, Update } from "./task.ts";
import { createTaskTrainer, type Trainer, type TrainingOptions } from "./trainer.ts";

/** Trains a GAN. Build with {@link createGanTrainer}. */
export type GanTrainer = Trainer<ImageBatch, GanModel>;

export interface GanTrainerSpec extends TrainingOptions {
  readonly model: GanModel;
  /** Updates of the discriminator for each of the generator. Default 1, the Madam paper's. */
  readonly discriminatorSteps?: number;
}

/** Pixels of real images as the generator makes its own: from -1 to 1. */
export const ganNormalisation = (channels: number): Normalisation => ({
  mean: Array<number>(channels).fill(0.5),
  deviation: Array<number>(channels).fill(0.5),
});

/** Normal numbers for so many images. */
export const noiseOf = (key: Key, images: number, latent: number): Float32Array =>
  Float32Array.from({ length: images * latent }, (_, i) => normal(key, i));

/**
 * A step is so many updates of the discriminator, each on its part of the batch, and one of the generator, on as many images of
 * the last part's classes:
 *
 *   D lowers mean max(0, 1 - D(x, c)) + mean max(0, 1 + D(G(z, c), c)),   G lowers -mean D(G(z, c), c)
 *
 * Noise is new in every update. The loss of a step, and what the networks are judged by, is the discriminator's: near 2 it
 * knows nothing, at 0 it tells all images apart. A moving average is of the generator alone, which is what is shown.
 *
 * @source Miyato et al. 2018, Spectral normalization for generative adversarial networks, equations 16 and 17.
 */
export function ganTask(device: Device, model: GanModel, discriminatorSteps = 1): Task<ImageBatch, GanModel> {
  const made = (labels: Int32Array, pass: Pass): Tensor =>
    model.generate(noiseOf(pass.key("noise"), labels.length, model.latent), labels, pass);
  const discriminatorLoss = ({ pixels, labels }: ImageBatch, pass: Pass): Tensor => {
    const { channels } = model.task;
    const generated = device.tape.unrecorded(() => made(labels, pass));
    const real = device.tensor(pixels, [pixels.length / channels, channels]);
    const scores = model.discriminate(real, labels, pass);
    return discriminatorHingeLoss(scores, model.discriminate(generated, labels, pass));
  };
  const generatorLoss = ({ labels }: ImageBatch, pass: Pass): Tensor => {
    const generated = made(labels, pass);
    const judge = (): Tensor => model.discriminate(generated, labels, pass);
    return generatorHingeLoss(withoutGradients(model.discriminator, judge));
  };
  return {
    model,
    averaged: model.generator,
    loss: discriminatorLoss,
    updates(batch) {
      const parts = discriminatorSteps > 1 ? imageParts(batch, discriminatorSteps) : [batch];
      const ofDiscriminator = parts.map((part, turn): Update<ImageBatch> => ({
        name: "discriminator",
        parameters: model.discriminator,
        batch: part,
        turn,
        turns: discriminatorSteps,
        loss: discriminatorLoss,
      }));
      const ofGenerator: Update<ImageBatch> = {
        name: "generator",
        parameters: model.generator,
        batch: parts[discriminatorSteps - 1],
        turn: 0,
        turns: 1,
        loss: generatorLoss,
      };
      return [...ofDiscriminator, ofGenerator];
    },
    measure: async (batch, pass) => ({
      count: batch.rows,
      loss: await item(discriminatorLoss(batch, pass)),
    }),
    parts: imageParts,
  };
}

/**
 * Prepares training of a GAN: groups are made and weights move into their formats. Groups by the patterns `generator.*` and
 * `discriminator.*` give the networks rules of their own.
 *
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
 */
export const createGanTrainer = ({
  model,
  discriminatorSteps = 1,
  ...options
}: GanTrainerSpec): Promise<GanTrainer> =>
  createTaskTrainer({ ...options, task: ganTask(options.device, model, discriminatorSteps) });
