/** What a configuration of a model of images needs beyond its schema. */
import type { ImageTask } from "../../src/models/image-model.ts";
import { imageDefinition, sizedModel } from "../../src/models/image-presets.ts";
import { imageFolderName, imageSets } from "../image-sets.ts";
import { ConfigError } from "./config-error.ts";
import type { ParsedImagesConfig } from "./schema.ts";

/** Channels of a folder's images, whatever the files have. */
export const folderChannels = 3;

/** Sizes that a folder's images are read in; by default ImageNet's, 224 out of the middle of 256. */
export function folderSizes({
  size = 224,
  resize = Math.round((size * 8) / 7),
}: Pick<ParsedImagesConfig["data"], "size" | "resize">) {
  return { size, resize };
}

/**
 * The architecture takes the images; mean and deviation are one number a channel; dropout is for architectures that drop; a folder is named where it is meant, and the
 * shares of a cut come the least first.
 *
 * @throws ConfigError.
 */
export function checkImages({ data, model }: ParsedImagesConfig): void {
  checkSizes(model);
  if (model.dropout > 0 && !imageDefinition(model).drops)
    throw new ConfigError([`"model.dropout" is ${model.dropout}, but ${model.name} drops nothing: wants 0`]);
  if (data.name === imageFolderName) checkFolder(data);
  else checkSet(data);
  const task = taskOf(data);
  checkFit(model.name, data.name, () => imageDefinition(model).layers(task));
  const { channels } = task;
  for (const key of ["mean", "deviation"] as const) {
    const given = data[key];
    if (given === undefined || given.length === channels) continue;
    throw new ConfigError([`"data.${key}" has ${given.length} numbers, wants ${channels}: one a channel`]);
  }
  for (const key of ["area", "aspect"] as const) {
    const [least, most] = data[key] ?? [1, 1];
    if (least > most) throw new ConfigError([`"data.${key}" is [${least}, ${most}], wants the least first`]);
  }
}

/** The images as the configuration tells them. How many classes a folder has is not known yet, and matters to no size. */
function taskOf(data: ParsedImagesConfig["data"]): ImageTask {
  if (data.name === imageFolderName) {
    const { size } = folderSizes(data);
    return { channels: folderChannels, height: size, width: size, classes: 2 };
  }
  const { channels, height, width, classes } = imageSets[data.name];
  return { channels, height, width, classes: classes.length };
}

/**
 * The architecture must take the images. @param layers  describes its layers for them.
 *
 * @throws ConfigError for the RangeError of an architecture that does not.
 */
export function checkFit(model: string, images: string, layers: () => unknown): void {
  try {
    layers();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const reason = error.message.replace("logrung: ", "");
    throw new ConfigError([`"model.name" is "${model}", which does not fit ${images}: ${reason}`]);
  }
}

function checkSizes({ name, sizes }: ParsedImagesConfig["model"]): void {
  if ((name === sizedModel) !== (sizes !== undefined))
    throw new ConfigError([
      sizes === undefined
        ? `"model.name" is "${name}": wants its sizes, "model.sizes.patch" and so on`
        : `"model.sizes" is given, but "model.name" is "${name}": wants ${sizedModel}`,
    ]);
  if (sizes && sizes.width % sizes.heads !== 0)
    throw new ConfigError([
      `"model.sizes.width" is ${sizes.width}, wants a multiple of "model.sizes.heads", ${sizes.heads}`,
    ]);
}

function checkFolder(data: ParsedImagesConfig["data"]): void {
  const folders = [data.path ?? []].flat();
  const { size, resize } = folderSizes(data);
  if (folders.length > 1) throw new ConfigError([`"data.path" names ${folders.length} folders, wants one`]);
  if (resize < size)
    throw new ConfigError([`"data.resize" is ${resize}, wants at least "data.size", ${size}`]);
}

function checkSet({ name, path, validation, size, resize }: ParsedImagesConfig["data"]): void {
  for (const [key, value] of Object.entries({ path, validation, size, resize }))
    if (value !== undefined)
      throw new ConfigError([
        `"data.${key}" is given, but "data.name" is "${name}": wants ${imageFolderName}, or the set's own place ("data.dir") and size`,
      ]);
}
