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
export function bilinear({ channels, height, width, pixels }: Image, toHeight: number, toWidth: number): Image {
  const [down, across] = [betweens(height, toHeight), betweens(width, toWidth)];
  const made = new Float32Array(toHeight * toWidth * channels);
  const line = width * channels;
  let at = 0;
  for (const y of down)
    for (const x of across)
      for (let c = 0; c < channels; c++) {
        const [left, right] = [x.first * channels + c, x.second * channels + c];
        const mix = (row: number): number => {
          const before = pixels[row * line + left];
          return before + x.share * (pixels[row * line + right] - before);
        };
        const above = mix(y.first);
        made[at++] = above + y.share * (mix(y.second) - above);
      }
  return { channels, height: toHeight, width: toWidth, pixels: made };
} // prettier-ignore
