/** Images at another size as PyTorch's plain bilinear interpolation makes them. */
import type { Image } from "./image.ts";

/** Of one new pixel: the two old ones it lies between, and the share of the second. */
interface Between {
  readonly first: number;
  readonly second: number;
  readonly share: number;
}

/** c = max(0, (i + ½) · length / count - ½): corners of images meet, not the middles of corner pixels. */
function betweens(length: number, count: number): Between[] {
  return Array.from({ length: count }, (_, i) => {
    const centre = Math.max(0, ((i + 0.5) * length) / count - 0.5);
    const first = Math.min(length - 1, Math.floor(centre));
    return { first, second: Math.min(length - 1, first + 1), share: centre - first };
  });
}

/**
 * Each new pixel of the four old ones around it, however much smaller the image becomes: `interpolate(mode="bilinear",
 * align_corners=False)`, by which published distances between images are taken. Where images are to look well, `scaledPart` averages.
 */
export function bilinear(image: Image, toHeight: number, toWidth: number): Image {
  const { channels, height } = image;
  const line = toWidth * channels;
  const wide = acrossRows(image, toWidth);
  const made = new Float32Array(toHeight * line);
  for (const [y, { first, second, share }] of betweens(height, toHeight).entries())
    for (let i = 0; i < line; i++) {
      const above = wide[first * line + i];
      made[y * line + i] = above + share * (wide[second * line + i] - above);
    }
  return { channels, height: toHeight, width: toWidth, pixels: made };
}

/** All rows at their new length, not yet rounded. */
function acrossRows({ channels, height, width, pixels }: Image, toWidth: number): Float64Array {
  const wide = new Float64Array(height * toWidth * channels);
  const across = betweens(width, toWidth);
  let at = 0;
  for (let row = 0; row < height; row++)
    for (const { first, second, share } of across)
      for (let c = 0; c < channels; c++) {
        const before = pixels[(row * width + first) * channels + c];
        wide[at++] = before + share * (pixels[(row * width + second) * channels + c] - before);
      }
  return wide;
}
