/** What Inception-v3 sees in images, prepared as for the FID. */
import { bilinear } from "../data/bilinear.ts";
import { imageBytes, type ImageSet } from "../data/image-set.ts";
import { inceptionSize } from "../models/inception-layers.ts";
import type { InceptionV3 } from "../models/inception-v3.ts";
import type { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { FeatureMoments } from "./frechet-distance.ts";

/** How images are looked at. */
export interface InceptionOptions {
  /**
   * Images a batch; default 4. An image of 299×299 pixels needs some 30 MB while it is looked at, and more of them at a time are
   * hardly faster.
   */
  readonly rows?: number;
  /** Told after every batch how many images are done. */
  readonly progress?: (images: number) => void;
  /** Throws its reason at the next batch. */
  readonly signal?: AbortSignal;
}

/** Channels of Inception's images. */
const colours = 3;

/**
 * Mean and covariance of the features of Inception-v3 over a set of images: bytes divided by 255, scaled to 299×299 pixels bilinearly, then
 * from 0…1 to -1…1; grey ones are repeated for each colour. All weights read here were trained on such values: torchvision's `transform_input`
 * undoes ImageNet's mean and deviation to the same end.
 *
 * @throws RangeError for an empty set, or images of neither one nor three channels.
 * @source github.com/mseitzer/pytorch-fid, `InceptionV3.forward`.
 */
export async function inceptionMoments(
  device: Device,
  model: InceptionV3,
  set: ImageSet,
  { rows = 4, progress, signal }: InceptionOptions = {},
): Promise<FeatureMoments> {
  const count = set.labels.length;
  if (count === 0) throw new RangeError("logrung: features of no images");
  const moments = new FeatureMoments(model.width);
  for (let first = 0; first < count; first += rows) {
    signal?.throwIfAborted();
    const batch = Math.min(rows, count - first);
    const pixels = inceptionPixels(set, first, batch);
    const features = await device.step(() =>
      device.tape.without(() => {
        const shape = { batch, height: inceptionSize, width: inceptionSize, channels: colours };
        const images = device.tensor(pixels, [pixels.length / colours, colours]);
        return readValues(model.features({ pixels: images, shape }));
      }),
    );
    moments.add(features);
    progress?.(first + batch);
    await breathe();
  }
  return moments;
}

/** Images as Inception takes them: [count · 299 · 299, 3]. */
export function inceptionPixels(set: ImageSet, first: number, count: number): Float32Array {
  const { channels, height, width, images } = set;
  if (channels !== 1 && channels !== colours)
    throw new RangeError(`logrung: Inception-v3 takes images of 1 or ${colours} channels, not ${channels}`);
  const size = imageBytes(set);
  const plane = height * width;
  const each = inceptionSize * inceptionSize * colours;
  const out = new Float32Array(count * each);
  for (let i = 0; i < count; i++) {
    const start = (first + i) * size;
    const pixels = Float32Array.from(
      { length: size },
      (_, j) => images[start + (j % channels) * plane + Math.floor(j / channels)] / 255,
    );
    const large = bilinear({ channels, height, width, pixels }, inceptionSize, inceptionSize).pixels;
    const step = channels === 1 ? colours : 1;
    for (let j = 0; j < each; j++) out[i * each + j] = 2 * large[Math.floor(j / step)] - 1;
  }
  return out;
}
