/** Random changes of training images, each a pure function of the image and its random key. */
import { randomBits, uniformFloat } from "../random/random-bits.ts";
import type { Key } from "../random/stream.ts";

/** An image [height, width, channels], channels adjacent, as floats. */
export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Float32Array;
}

/** Which changes are made, in this order. What is left out is not made. */
export interface Augmentation {
  /** Pads with zeros by this many pixels and cuts the original size out anywhere. */
  readonly cropPadding?: number;
  /** Cuts out a part of random area and aspect and scales it (bilinear) to the original size. */
  readonly resizedCrop?: {
    readonly area: readonly [number, number];
    readonly aspect: readonly [number, number];
  };
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
 * @param key  the image's own: by seed, step and place in the batch.
 */
export function augmented(image: Image, how: Augmentation, key: Key): Image {
  let result = image;
  if (how.cropPadding) result = shifted(result, how.cropPadding, key);
  if (how.resizedCrop) result = resizedCrop(result, how.resizedCrop, key);
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
 * A part of the image at its original size. Its share of the area is uniform in `area`, its aspect ratio log-uniform in
 * `aspect`; a part that does not fit is cut to the image's sides.
 */
function resizedCrop(
  image: Image,
  { area, aspect }: NonNullable<Augmentation["resizedCrop"]>,
  key: Key,
): Image {
  const { height, width } = image;
  const share = area[0] + (area[1] - area[0]) * draw(key, "area");
  const ratio = aspect[0] * (aspect[1] / aspect[0]) ** draw(key, "aspect");
  const partWidth = Math.min(width, Math.sqrt(share * height * width * ratio));
  const partHeight = Math.min(height, Math.sqrt((share * height * width) / ratio));
  const top = draw(key, "top") * (height - partHeight);
  const left = draw(key, "left") * (width - partWidth);
  return resampled(image, (y, x) => [
    top + ((y + 0.5) * partHeight) / height - 0.5,
    left + ((x + 0.5) * partWidth) / width - 0.5,
  ]);
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
