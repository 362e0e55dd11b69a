/** Random changes of training images, each a pure function of the image and its random key. */
import { randomBits, uniformFloat } from "../random/random-bits.ts";
import type { Key } from "../random/stream.ts";
import type { Image } from "./image.ts";
import { fitted, scaledPart } from "./scale.ts";

/** Which changes are made, in this order. What is left out is not made. */
export interface Augmentation {
  /** Cuts out a part of random area and aspect and scales it to the size wanted. */
  readonly resizedCrop?: {
    readonly area: readonly [number, number];
    readonly aspect: readonly [number, number];
  };
  /** Pads with zeros, the mean colour of normalised images, by this many pixels and cuts the original size out anywhere. */
  readonly cropPadding?: number;
  /** Mirrors left and right with probability one half. */
  readonly flip?: boolean;
  /** Turns by a random angle of up to so many degrees (bilinear, zeros outside). */
  readonly rotation?: number;
}

/** Places of random numbers within an image's stream, one for each use. */
const draws = { cropY: 0, cropX: 1, flip: 2, angle: 3, area: 4, aspect: 5, top: 6, left: 7 } as const;

/** A number in [0, 1) for one use. */
const draw = ([key0, key1]: Key, use: keyof typeof draws): number =>
  uniformFloat(randomBits(draws[use], key0, key1));

/**
 * Changes an image as told.
 *
 * @param key   the image's own: by seed, step and place in the batch.
 * @param size  of the result; default the image's own. A random part is cut from the whole image; without one the image is
 *   fitted to the size first, `share` of its middle.
 */
export function augmented(
  image: Image,
  how: Augmentation,
  key: Key,
  size: Pick<Image, "height" | "width"> & { readonly share?: number } = image,
): Image {
  let result = how.resizedCrop
    ? resizedCrop(image, how.resizedCrop, key, size)
    : fitted(image, size.height, size.width, size.share);
  if (how.cropPadding) result = shifted(result, how.cropPadding, key);
  if (how.flip && draw(key, "flip") < 0.5) result = mirrored(result);
  if (how.rotation) result = rotated(result, (2 * draw(key, "angle") - 1) * how.rotation);
  return result;
}

/** The window of the original size at a random place of the padded image. */
function shifted(image: Image, padding: number, key: Key): Image {
  const { height, width, channels, pixels } = image;
  const span = 2 * padding + 1;
  const down = Math.floor(draw(key, "cropY") * span) - padding;
  const right = Math.floor(draw(key, "cropX") * span) - padding;
  const moved = new Float32Array(pixels.length);
  const from = Math.max(0, right);
  const to = Math.min(width, width + right);
  for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
    const row = (y + down) * width;
    const source = pixels.subarray((row + from) * channels, (row + to) * channels);
    moved.set(source, (y * width + from - right) * channels);
  }
  return { ...image, pixels: moved };
}

function mirrored(image: Image): Image {
  const { width, channels, pixels } = image;
  const flipped = new Float32Array(pixels.length);
  for (let pixel = 0; pixel < pixels.length / channels; pixel++) {
    const x = pixel % width;
    const twin = (pixel - x + width - 1 - x) * channels;
    for (let c = 0; c < channels; c++) flipped[twin + c] = pixels[pixel * channels + c];
  }
  return { ...image, pixels: flipped };
}

/**
 * A part of the image at the size wanted. Its share of the area is uniform in `area`, its aspect ratio log-uniform in `aspect`; a part
 * that does not fit is cut to the image's sides.
 *
 * @source Szegedy et al. 2015, Going deeper with convolutions, section 6 (8 % to 100 % of the area, aspect 3/4 to 4/3).
 */
function resizedCrop(
  image: Image,
  { area, aspect }: NonNullable<Augmentation["resizedCrop"]>,
  key: Key,
  size: Pick<Image, "height" | "width">,
): Image {
  const share = area[0] + (area[1] - area[0]) * draw(key, "area");
  const ratio = aspect[0] * (aspect[1] / aspect[0]) ** draw(key, "aspect");
  const width = Math.min(image.width, Math.sqrt(share * image.height * image.width * ratio));
  const height = Math.min(image.height, Math.sqrt((share * image.height * image.width) / ratio));
  const top = draw(key, "top") * (image.height - height);
  const left = draw(key, "left") * (image.width - width);
  return scaledPart(image, { top, left, height, width }, size.height, size.width);
}

function rotated(image: Image, degrees: number): Image {
  const { height, width } = image;
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [middleY, middleX] = [(height - 1) / 2, (width - 1) / 2];
  return resampled(image, (y, x) => [
    middleY + cos * (y - middleY) - sin * (x - middleX),
    middleX + sin * (y - middleY) + cos * (x - middleX),
  ]);
}

/** Bilinear sampling at the places that `source` names for each pixel; zero outside the image. */
function resampled(image: Image, source: (y: number, x: number) => readonly [number, number]): Image {
  const { height, width, channels, pixels } = image;
  const result = new Float32Array(pixels.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [atY, atX] = source(y, x);
      const [top, left] = [Math.floor(atY), Math.floor(atX)];
      for (const [row, column] of [[top, left], [top, left + 1], [top + 1, left], [top + 1, left + 1]]) {
        const share = (1 - Math.abs(atY - row)) * (1 - Math.abs(atX - column));
        if (row < 0 || row >= height || column < 0 || column >= width || share === 0) continue;
        for (let c = 0; c < channels; c++)
          result[(y * width + x) * channels + c] += share * pixels[(row * width + column) * channels + c];
      }
    }
  }
  return { ...image, pixels: result };
} // prettier-ignore
