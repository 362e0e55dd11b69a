/** Training a GAN on labelled images. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { firstImages } from "../../src/data/image-set.ts";
import { writeFileAtomic } from "../../src/io/atomic-file.ts";
import { FileError } from "../../src/io/file-error.ts";
import { sampleGrid } from "../../src/train/gan-samples.ts";
import { ganNormalisation } from "../../src/train/gan-trainer.ts";
import { imageFeed } from "../../src/train/image-feed.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import type { GanRunConfig } from "../config/resolve.ts";
import { loadImages } from "../image-sets.ts";
import { encodePng } from "../picture/png.ts";
import { sampleFile } from "../sample-pictures.ts";
import { openGan, type GanSession } from "../session.ts";
import { imagesDigest, orAll, type ImageParts } from "./images.ts";
import type { Prepared, Work } from "./work.ts";

/** Reads the images. @throws DataError and what reading throws. */
export async function prepareGan(config: GanRunConfig): Promise<Prepared> {
  const { data, evaluate } = config;
  const whole = await loadImages(data.name, data.dir, "train");
  const training = firstImages(whole, orAll(data.limit, whole));
  const test = await loadImages(data.name, data.dir, "test");
  const parts = { training, validation: firstImages(test, orAll(evaluate.images, test)) };
  const open = async (): Promise<Work> => workOf(await openGan(config), parts);
  return { name: training.name, sha256: await imagesDigest(training), tokenizerFiles: {}, open };
}

function workOf(session: GanSession, parts: ImageParts): Work {
  const { config, trainer } = session;
  const { seed, batch, data, discriminatorSteps } = config;
  const { training, validation } = parts;
  const { channels, height, width, classes, labels } = training;
  const feed = imageFeed(parts, {
    seed,
    rows: batch * discriminatorSteps,
    normalisation: ganNormalisation(channels),
    lastStep: config.steps,
    ...(data.flip ? { augmentation: { cropPadding: 0, flip: true, rotation: 0 } } : {}),
  });
  return {
    session,
    sizes: `${height}×${width} pixels, ${channels} channel${channels > 1 ? "s" : ""}, ${classes.length} classes`,
    data:
      `images   ${data.name}, ${labels.length} to train and ${validation.labels.length} to validate` +
      (data.flip ? ", changed by flip" : ""),
    loop: (options, folder) =>
      trainingLoop({ ...options, trainer, feed, afterStep: (step) => drawn(session, folder, step) }).finally(
        () => feed.close(),
      ),
    figures: ({ validation: found, rate }) => ({
      validation: { loss: found?.loss ?? Number.NaN },
      samplesPerSecond: rate,
    }),
    show: async () => ({ sample: null }),
  };
}

/** Writes a picture of samples where one is due. Always of the same noise, so that pictures can be compared. */
async function drawn(session: GanSession, folder: string, step: number): Promise<void> {
  const { every } = session.config.sample;
  if (step !== session.config.steps && (every === 0 || step % every !== 0)) return;
  const { columns } = session.config.sample;
  const png = await pictureOf(session, columns, session.config.seed);
  const path = sampleFile(folder, step);
  await mkdir(join(path, ".."), { recursive: true }).catch((cause: unknown) => {
    throw new FileError("write", path, cause);
  });
  await writeFileAtomic(path, png);
}

/** A PNG of samples, a row for each class, by the weights that the model is judged by. */
export const pictureOf = (
  { device, policy, trainer }: GanSession,
  columns: number,
  seed: number,
): Promise<Uint8Array> =>
  trainer.evaluating(async () =>
    encodePng(await sampleGrid(device, trainer.model, columns, { policy, seed })),
  );
