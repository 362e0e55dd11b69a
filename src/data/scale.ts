/** Scaling images. */
import type { Image } from "./image.ts";

/** A part of an image, in pixels and fractions of them. */
export interface ImagePart {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Pixels of a row or column that one new pixel is made of, and their shares. */
interface Tap {
  readonly first: number;
  readonly shares: readonly number[];
}

/**
 * A part of an image at another size, by the triangle filter: bilinear where it grows, and where it shrinks an average over all that a
 * new pixel covers, so that fine patterns do not turn into coarse ones. Along rows first, then along columns, as the filter separates.
 *
 *   y(i) = Σⱼ w((j + ½ - c) / s) x(j) / Σ w,  c = left + (i + ½) width / width',  s = max(1, width / width'),  w(t) = max(0, 1 - |t|)
 */
export function scaledPart(image: Image, part: ImagePart, height: number, width: number): Image {
  const { channels } = image;
  const across = taps(image.width, part.left, part.width, width);
  const down = taps(image.height, part.top, part.height, height);
  const firstRow = Math.min(...down.map(({ first }) => first));
  const endRow = Math.max(...down.map(({ first, shares }) => first + shares.length));
  const narrow = new Float32Array((endRow - firstRow) * width * channels);
  for (let y = firstRow; y < endRow; y++) {
    for (let x = 0; x < width; x++)
      weigh(narrow, ((y - firstRow) * width + x) * channels, image.pixels, y * image.width * channels, channels, across[x], channels);
  }
  const pixels = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const { first, shares } = down[y];
    const tap = { first: first - firstRow, shares };
    for (let x = 0; x < width; x++)
      weigh(pixels, (y * width + x) * channels, narrow, x * channels, channels, tap, width * channels);
  }
  return { channels, height, width, pixels };
} // prettier-ignore

/** Adds the weighted pixels of a tap, `stride` elements apart, channel by channel. */
function weigh(
  target: Float32Array,
  at: number,
  source: Float32Array,
  start: number,
  channels: number,
  { first, shares }: Tap,
  stride: number,
): void {
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let i = 0; i < shares.length; i++) sum += shares[i] * source[start + (first + i) * stride + c];
    target[at + c] = sum;
  }
}

/** For each of `count` new pixels of a part, which of `length` old ones make it. */
function taps(length: number, start: number, span: number, count: number): Tap[] {
  const reach = Math.max(1, span / count);
  return Array.from({ length: count }, (_, i) => {
    const centre = start + ((i + 0.5) * span) / count;
    const first = Math.min(length - 1, Math.max(0, Math.ceil(centre - reach - 0.5)));
    const last = Math.max(first, Math.min(length - 1, Math.floor(centre + reach - 0.5)));
    const weights: number[] = [];
    for (let j = first; j <= last; j++) weights.push(Math.max(0, 1 - Math.abs(j + 0.5 - centre) / reach));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, shares: sum > 0 ? weights.map((weight) => weight / sum) : [1] };
  });
}

/**
 * The largest part of the size's shape about the middle, scaled to it: how images are judged.
 *
 * @param share  of the part's sides that is left when its edges are cut off before it is scaled. Default 1, none.
 */
export function fitted(image: Image, height: number, width: number, share = 1): Image {
  if (share === 1 && image.height === height && image.width === width) return image;
  const scale = share * Math.min(image.height / height, image.width / width);
  const part = { height: height * scale, width: width * scale };
  const top = (image.height - part.height) / 2;
  return scaledPart(image, { ...part, top, left: (image.width - part.width) / 2 }, height, width);
}
