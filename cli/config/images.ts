/** What a configuration of a model of images needs beyond its schema. */
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
 * Mean and deviation are one number a channel; dropout is for architectures that drop; a folder is named where it is meant, and the
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
  const channels = data.name === imageFolderName ? folderChannels : imageSets[data.name].channels;
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
