/** What tasks on images have in common: how batches are made, and what is said of them. */
import type { Augmentation } from "../../src/data/augment.ts";
import type { BatchPlan } from "../../src/data/batch-maker.ts";
import type { Normalisation } from "../../src/data/image-set.ts";
import type { LoopResult } from "../../src/train/loop.ts";
import type { RunResult } from "../../src/train/run-summary.ts";
import type { ImagesConfig } from "../config/resolve.ts";
import { imagenetNormalisation } from "../image-folders.ts";
import { imageFolderName, imageSets } from "../image-sets.ts";

/** The configuration's, or the set's own; of a folder ImageNet's. */
export function normalisationOf({ data }: ImagesConfig): Normalisation {
  const usual = data.name === imageFolderName ? imagenetNormalisation : imageSets[data.name].normalisation;
  return { mean: data.mean ?? usual.mean, deviation: data.deviation ?? usual.deviation };
}

/** How training batches of a configuration are made. */
export function planOf(config: ImagesConfig): BatchPlan {
  const { seed, batch, data } = config;
  const { crop, flip, rotation, mixup, area, aspect } = data;
  const range = ([least, most]: readonly number[]) => [least, most] as const;
  const augmentation: Augmentation = {
    cropPadding: crop,
    flip,
    rotation,
    ...(area ? { resizedCrop: { area: range(area), aspect: range(aspect) } } : {}),
  };
  const changes = crop > 0 || flip || rotation > 0 || area !== undefined;
  return {
    seed,
    rows: batch,
    normalisation: normalisationOf(config),
    mixup,
    ...(changes ? { augmentation } : {}),
  };
}

/** `, changed by crop, flip`: what training images are changed by. */
export function changesOf({ data }: ImagesConfig): string {
  const used = (["area", "crop", "flip", "rotation", "mixup"] as const).filter((name) => data[name]);
  return used.length > 0 ? `, changed by ${used.join(", ")}` : "";
}

/** Sizes of images, for the line that describes a model. */
export const sizesOf = ({
  height,
  width,
  channels,
  classes,
}: {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classes: readonly string[];
}): string =>
  `${height}×${width} pixels, ${channels} channel${channels > 1 ? "s" : ""}, ${classes.length} classes`;

/** The figures of a classifier. */
export const imageFigures = ({
  validation,
  rate,
}: LoopResult): Pick<RunResult, "validation" | "samplesPerSecond"> => ({
  validation: { loss: validation?.loss ?? Number.NaN, accuracy: validation?.accuracy ?? Number.NaN },
  samplesPerSecond: rate,
});
