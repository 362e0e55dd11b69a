/** What a classifier sees in images: the numbers before its last layer. */
import { orderedImages } from "../data/image-batches.ts";
import type { ImageSet, Normalisation } from "../data/image-set.ts";
import type { ImageModel } from "../models/image-model.ts";
import { evaluationPass, type Pass } from "../nn/pass.ts";
import { scaled } from "../ops/scaled.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { readValues, type Tensor } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { FeatureMoments } from "./frechet-distance.ts";
import { scoresOf } from "./image-trainer.ts";

/** How images are looked at. */
export interface FeatureOptions {
  readonly policy: Policy;
  readonly seed: number;
  /** Images a batch. */
  readonly rows: number;
  /** As the classifier was trained with. */
  readonly normalisation: Normalisation;
  /** Throws its reason at the next batch. */
  readonly signal?: AbortSignal;
}

/**
 * Mean and covariance of a classifier's features over a set of images: of the inputs of its last layer.
 *
 * @throws RangeError for an empty set.
 */
export async function featureMoments(
  device: Device,
  model: ImageModel,
  set: ImageSet,
  { policy, seed, rows, normalisation, signal }: FeatureOptions,
): Promise<FeatureMoments> {
  let moments: FeatureMoments | null = null;
  const pass = evaluationPass(policy, seed);
  for (const batch of orderedImages(set, rows, normalisation)) {
    signal?.throwIfAborted();
    const features = await device.step(() =>
      device.tape.without(() => {
        const seen = lastInput(model, pass, (watched) => scoresOf(device, model, batch, watched));
        return readValues(seen);
      }),
    );
    moments ??= new FeatureMoments(features.length / batch.rows);
    moments.add(features);
    await breathe();
  }
  if (moments === null) throw new RangeError("logrung: features of no images");
  return moments;
}

/** A copy of what the last layer was given, which itself is gone after it. */
function lastInput(model: ImageModel, pass: Pass, run: (pass: Pass) => Tensor): Tensor {
  const name = model.layers.at(-1);
  let seen: Tensor | null = null;
  const watch = (layer: string, input: Tensor): void => {
    if (layer === name) seen = scaled(input, 1);
  };
  run({ ...pass, watch });
  if (seen === null) throw new Error(`logrung: the model's last layer, ${name}, is not a linear one`);
  return seen;
}
