/** Images in folders, one folder a class: ImageNet's layout. Node only. */
import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { FileError } from "../io/file-error.ts";
import { fileSize, readBytes } from "../io/read-file.ts";
import { sha256 } from "../io/sha256.ts";
import { DataError } from "./data-error.ts";
import type { Image } from "./image.ts";

/** An image as a library decodes it: red, green and blue of each pixel, row by row. */
export interface DecodedImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * Decodes the bytes of a PNG or JPEG file. The library has no decoder of its own; the command line brings one.
 *
 * @throws whatever, for bytes that are no image: the file is named by {@link readImage}.
 */
export type ImageDecoder = (bytes: Uint8Array) => DecodedImage | Promise<DecodedImage>;

/** Files of labelled images; nothing is read before it is needed, so there may be more than memory holds. */
export interface ImageFolder {
  readonly name: string;
  readonly channels: 3;
  /** The size that models get; the files may have any. */
  readonly height: number;
  readonly width: number;
  /** What is left of the sides of an image's middle when it is judged: its edges are cut off. */
  readonly share: number;
  /** Names of the class folders, sorted. */
  readonly classes: readonly string[];
  /** Paths, sorted within their class. */
  readonly files: readonly string[];
  readonly labels: Uint16Array;
}

const imageName = /\.(?:png|jpe?g)$/i;
const mostClasses = 65_536;

/** How the images of a folder are read. */
export interface FolderOptions {
  readonly size: number;
  readonly resize?: number;
  readonly classes?: readonly string[];
}

/**
 * Lists the images of a folder: `<folder>/<class>/<any>.png` or `.jpg`, `.jpeg`, at any depth below the class. Other files are passed
 * over; links to folders are not followed.
 *
 * @param options.size     side of the square that models get, in pixels.
 * @param options.resize   what the shorter side is scaled to before that square is cut from the middle; default `size`.
 * @param options.classes  the classes of the training part, so that labels mean the same; default those found.
 * @throws RangeError when `resize` is less than `size`.
 * @throws DataError for a folder without classes, a class without images, and a class that `options.classes` does not have.
 */
export async function openImageFolder(
  folder: string,
  { size, resize = size, classes: wanted }: FolderOptions,
): Promise<ImageFolder> {
  if (!(resize >= size)) throw new RangeError(`logrung: images scaled to ${resize} and cut to ${size}: wants no less`);
  const found = (await entriesOf(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const present = found.filter((name) => !name.startsWith(".")).toSorted();
  if (present.length === 0) throw new DataError(folder, "holds no folders: wants one for each class, images in them");
  const classes = wanted ?? present;
  if (classes.length > mostClasses) throw new DataError(folder, `${classes.length} classes, at most ${mostClasses}`);
  const files: string[] = [];
  const labels: number[] = [];
  for (const name of present) {
    const label = classes.indexOf(name);
    if (label < 0) throw new DataError(folder, `class "${name}" is not among the ${classes.length} of the training images`);
    const images = (await imagesIn(join(folder, name))).toSorted();
    if (images.length === 0) throw new DataError(folder, `class "${name}" holds no .png, .jpg or .jpeg`);
    for (const path of images) {
      files.push(path);
      labels.push(label);
    }
  }
  return { name: folder, channels: 3, height: size, width: size, share: size / resize, classes, files, labels: Uint16Array.from(labels) };
} // prettier-ignore

/** Some of a folder's images, by number. */
export const partOfFolder = (folder: ImageFolder, indices: ArrayLike<number>): ImageFolder => ({
  ...folder,
  files: Array.from(indices, (index) => folder.files[index]),
  labels: Uint16Array.from(indices, (index) => folder.labels[index]),
});

/** At most so many of a folder's images, spread evenly over it and so over its classes. */
export function spreadOfFolder(folder: ImageFolder, count: number): ImageFolder {
  const { length } = folder.files;
  if (count >= length) return folder;
  return partOfFolder(
    folder,
    Int32Array.from({ length: count }, (_, i) => Math.floor((i * length) / count)),
  );
}

/**
 * What identifies the images of a folder: the SHA-256 of their places in it and their sizes. To read all of them would take longer than
 * many a run.
 *
 * @throws FileError when one is missing.
 */
export async function folderDigest({ name, files }: ImageFolder): Promise<string> {
  const lines: string[] = [];
  for (const path of files)
    lines.push(`${relative(name, path).split(sep).join("/")} ${await fileSize(path)}`);
  return sha256([new TextEncoder().encode(lines.join("\n"))]);
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new DataError(folder, new FileError("read", folder, cause).message, cause);
  });
}

async function imagesIn(folder: string): Promise<string[]> {
  const images: string[] = [];
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) images.push(...(await imagesIn(path)));
    else if (imageName.test(entry.name)) images.push(path);
  }
  return images;
}

/**
 * Reads one image file, pixels scaled to 0 … 1.
 *
 * @throws FileError when it cannot be read; DataError naming it when it is no image, or holds too few pixels for its size.
 */
export async function readImage(path: string, decode: ImageDecoder): Promise<Image> {
  const bytes = await readBytes(path);
  let decoded: DecodedImage;
  try {
    decoded = await decode(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(path, `is no image that can be read, or is damaged: ${reason.replace("logrung: ", "")}`, cause);
  }
  const { width, height, data } = decoded;
  if (width < 1 || height < 1 || data.length !== 3 * width * height)
    throw new DataError(path, `${data.length} values decoded, wants ${width} × ${height} × 3`);
  return { channels: 3, height, width, pixels: Float32Array.from(data, (value) => value / 255) };
} // prettier-ignore
