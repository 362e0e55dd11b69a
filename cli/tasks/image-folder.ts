/** Training a classifier of images that lie in folders. */
import { folderFeed, orderedFolderAhead } from "../../src/train/folder-feed.ts";
import type { ImageFolder } from "../../src/data/image-folder.ts";
import { judgeImages } from "../../src/train/image-report.ts";
import { trainingLoop } from "../../src/train/loop.ts";
import { attentionToImages } from "../attention/images.ts";
import type { ImagesConfig } from "../config/resolve.ts";
import { decoding, type FolderParts, foldersDigest, openFolders } from "../image-folders.ts";
import { classesFile } from "../kept-classes.ts";
import { imageTaskOf, type ImagesSession, openImages } from "../session.ts";
import { changesOf, imageFigures, normalisationOf, planOf, sizesOf } from "./image-lines.ts";
import type { Prepared, Shown, Work } from "./work.ts";

/** Pictures of mistakes that a report shows: fewer where they are large. */
const mistakesOf = (size: number): number => (size > 64 ? 6 : 24);

/** Classes of which a report can show a table. */
const mostShownClasses = 100;

/**
 * Lists the images; none is read yet.
 *
 * @param classes  of a run that goes on.
 * @throws DataError for folders that are missing, empty, or of other classes.
 */
export async function prepareImageFolder(
  config: ImagesConfig,
  classes?: readonly string[],
): Promise<Prepared> {
  const parts = await openFolders(config, classes);
  const { training } = parts;
  return {
    name: training.name,
    sha256: await foldersDigest(parts),
    tokenizerFiles: { [classesFile]: `${JSON.stringify(training.classes)}\n` },
    open: async () => workOf(await openImages(config, imageTaskOf(config, training.classes)), parts),
  };
}

function workOf(session: ImagesSession, parts: FolderParts): Work {
  const { config, trainer } = session;
  const { training, validation } = parts;
  const feed = folderFeed(parts, { ...planOf(config), ...decoding(), lastStep: config.steps });
  return {
    session,
    sizes: sizesOf(training),
    data:
      `images   ${training.name}, ${training.files.length} to train and ${validation.files.length} to validate` +
      changesOf(config),
    loop: (options) => trainingLoop({ ...options, trainer, feed }).finally(() => feed.close()),
    figures: imageFigures,
    show: async (signal) => ({ sample: null, ...(await shown(session, parts, signal)) }),
  };
}

async function shown(
  session: ImagesSession,
  { validation }: FolderParts,
  signal: AbortSignal,
): Promise<Omit<Shown, "sample">> {
  const { device, policy, config, trainer } = session;
  const judged = { ...validation, batches: orderedFolderAhead(validation, planOf(config), decoding()) };
  const attention = await attentionToImages(session, {
    ...validation,
    batches: fewInOrder(config, validation),
  });
  if (validation.classes.length > mostShownClasses) return attention;
  const how = { policy, seed: config.seed, normalisation: normalisationOf(config), signal };
  const mistakes = mistakesOf(validation.height);
  const images = await judgeImages(device, trainer.model, judged, { ...how, mistakes });
  return { images, ...attention };
}

/** Images of a folder, a few at a time. */
export const fewInOrder = (config: ImagesConfig, folder: ImageFolder) =>
  orderedFolderAhead(folder, { ...planOf(config), rows: 4 }, { ...decoding(), workers: 1 });
