/** A vision transformer of Hugging Face as a run, and a run as one. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HuggingFaceError } from "../src/models/huggingface.ts";
import { readHuggingFaceVit, type VitWeights, writeHuggingFaceVit } from "../src/models/huggingface-vit.ts";
import { sizedModel } from "../src/models/image-presets.ts";
import { vitSizes } from "../src/models/vit.ts";
import type { JsonObject } from "../src/train/json.ts";
import { folderChannels } from "./config/images.ts";
import { resolveConfig, type ImagesConfig } from "./config/resolve.ts";
import {
  type ConversionRequest,
  type ConvertedSession,
  expectOwnSizes,
  type PublishedFiles,
} from "./conversion.ts";
import { UsageError } from "./errors.ts";
import { openFolders } from "./image-folders.ts";
import { imageFolderName, imageSets } from "./image-sets.ts";
import { classesFile, keptClasses } from "./kept-classes.ts";
import { floatWeights, readJson } from "./published-folder.ts";
import { imageTaskOf, type ImagesSession, openImages } from "./session.ts";
import { normalisationOf } from "./tasks/image-lines.ts";

/** How Hugging Face prepares images for a model. */
const processorFile = "preprocessor_config.json";

/** Its ViT's mean and deviation of every channel, where the folder does not say. */
const usualNormalisation = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] };

/**
 * A model without a head gets one for the classes of the folder of images that is given.
 *
 * @throws HuggingFaceError for what is no ViT of colour images, UsageError for other sizes.
 */
export async function vitRun(request: ConversionRequest): Promise<ConvertedSession> {
  const read = readHuggingFaceVit(request.published);
  const { channels } = read.images;
  if (channels !== folderChannels)
    throw new HuggingFaceError(`config.json: "num_channels" is ${channels}, wants ${folderChannels}`);
  const config = await configFor(read, request);
  const classes = read.classes ?? (await classesGiven(config));
  const session = await openImages(config, imageTaskOf(config, classes), read.weights);
  return { session, files: { [classesFile]: `${JSON.stringify(classes)}\n` } };
}

async function configFor(
  { config: sizes, images }: VitWeights,
  { from, assignments, cwd }: ConversionRequest,
): Promise<ImagesConfig> {
  expectOwnSizes(assignments);
  const size = images.height;
  const stated = Object.entries(sizes).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const base: JsonObject = {
    task: "images",
    recipe: "huggingface",
    data: { name: imageFolderName, size, resize: size, ...(await normalisationIn(from)) },
    model: { name: sizedModel, sizes: Object.fromEntries(stated) },
  };
  const config = await resolveConfig({ base, assignments, cwd });
  if (config.task === "images") return config;
  throw new UsageError(`--task=${config.task}: ViT is a model of images`);
}

async function normalisationIn(folder: string): Promise<JsonObject> {
  const path = join(folder, processorFile);
  if (!existsSync(path)) return usualNormalisation;
  const { image_mean: mean = usualNormalisation.mean, image_std: deviation = usualNormalisation.deviation } =
    await readJson(path);
  return { mean, deviation };
}

async function classesGiven(config: ImagesConfig): Promise<readonly string[]> {
  if (config.data.path === undefined)
    throw new UsageError(
      "this model has no head: name images whose classes it is to learn with --data <folder>",
    );
  return (await openFolders(config)).training.classes;
}

/** A run's ViT, its classes and its normalisation; null for another model of images. */
export async function vitFiles(session: ImagesSession, run: string): Promise<PublishedFiles | null> {
  const { config, trainer } = session;
  const { name, sizes = vitSizes[name] } = config.model;
  if (sizes === undefined) return null;
  const { classes: _, ...images } = trainer.model.task;
  const isFolder = config.data.name === imageFolderName;
  const classes = isFolder ? await keptClasses(run) : imageSets[config.data.name].classes;
  const weights = await floatWeights(session);
  const published = writeHuggingFaceVit({ config: sizes, images, classes, weights });
  const processor = processorOf(config, images.height);
  return { published, files: { [processorFile]: `${JSON.stringify(processor, null, 2)}\n` } };
}

function processorOf(config: ImagesConfig, size: number) {
  const { mean, deviation } = normalisationOf(config);
  return {
    image_processor_type: "ViTImageProcessor",
    do_resize: true,
    size: { height: size, width: size },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: deviation,
  };
}
