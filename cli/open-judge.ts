/** Opening the network in whose features images are compared: a classifier of one's own, or Inception-v3. */
import { basename } from "node:path";
import type { ImageSet } from "../src/data/image-set.ts";
import type { Gaussian } from "../src/train/frechet-distance.ts";
import { featureMoments } from "../src/train/image-features.ts";
import { UsageError } from "./errors.ts";
import type { ImageJudge, JudgeContext } from "./image-judge.ts";
import { inceptionFile, inceptionJudge } from "./inception-judge.ts";
import { openRun } from "./open-run.ts";
import { type GanSession, imageTaskOf, type ImagesSession } from "./session.ts";
import { normalisationOf } from "./tasks/image-lines.ts";

/**
 * Opens the network that `--features` names: Inception-v3 where it is a file, or a folder with a published checkpoint; else a run of a
 * classifier of images of the GAN's size.
 *
 * @throws UsageError for a run of another task, or of images of another size; what reading a checkpoint throws.
 */
export async function openJudge(features: string, gan: GanSession, context: JudgeContext): Promise<ImageJudge> {
  const file = await inceptionFile(features);
  return file === null ? classifierJudge(features, gan, context) : inceptionJudge(file, gan.device, context);
} // prettier-ignore

async function classifierJudge(run: string, gan: GanSession, { signal }: JudgeContext): Promise<ImageJudge> {
  const opened = await openRun(run, undefined);
  try {
    if (opened.task !== "images")
      throw new UsageError(`--features wants a run of a classifier of images, "${run}" learns ${opened.task}`);
    expectSameSize(gan, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
  const { step } = opened.position;
  const network = `${basename(run)}, step ${step}`;
  return {
    description: { measure: "Fréchet distance", network, features: run, step },
    moments: (set) => classifierMoments(opened, set, signal),
    close: () => opened.close(),
  };
} // prettier-ignore

function expectSameSize({ config }: GanSession, classifier: ImagesSession): void {
  const shapes = [config, classifier.config].map((each) => {
    const { channels, height, width } = imageTaskOf(each);
    return `${channels}×${height}×${width}`;
  });
  if (shapes[0] !== shapes[1])
    throw new UsageError(`--features: the classifier takes images of ${shapes[1]}, the GAN makes ${shapes[0]}`);
} // prettier-ignore

function classifierMoments(session: ImagesSession, set: ImageSet, signal: AbortSignal): Promise<Gaussian> {
  const { config, device, policy, trainer } = session;
  const { seed, batch } = config;
  const how = { policy, seed, rows: batch, normalisation: normalisationOf(config), signal };
  return trainer.evaluating(async () => {
    const { mean, covariance } = await featureMoments(device, trainer.model, set, how);
    return { mean, covariance };
  });
}
