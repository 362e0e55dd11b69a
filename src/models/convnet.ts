/** A plain convolutional network: convolutions and pools, then a linear layer. */
import { convolutionLayer, linearLayer, type LayerSpec } from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import type { Images } from "../ops/conv2d.ts";
import { poolShape, rectifiedMaxPool } from "../ops/pooling.ts";
import { reshape } from "../ops/reshape.ts";
import type { Device } from "../tensor/device.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageModel, ImageModelDefinition, ImagePresets, ImageTask } from "./image-model.ts";

const pool = { kernel: [2, 2] } as const;
const window = { kernel: [3, 3], padding: 1 } as const;

/** The image after so many pools of 2×2. @throws RangeError when nothing is left of it. */
function pooled(size: number, pools: number): number {
  const left = Math.floor(size / 2 ** pools);
  if (left < 1)
    throw new RangeError(`logrung: convnet halves ${size} pixels ${pools} times: nothing is left`);
  return left;
}

function convnetLayers(
  widths: readonly number[],
  { channels, height, width, classes }: ImageTask,
): LayerSpec[] {
  const convolutions = widths.map((to, i) =>
    convolutionLayer(`conv${i + 1}`, [widths[i - 1] ?? channels, to], 3, { bias: true }),
  );
  const pixels = pooled(height, widths.length) * pooled(width, widths.length);
  return [...convolutions, linearLayer("linear", [pixels * (widths.at(-1) ?? channels), classes])];
}

/**
 *   for each width: relu(3×3 convolution), 2×2 maximum pool;   then a linear layer on all that is left
 *
 * PyTorch's initial values.
 *
 * @param widths  channels of each convolution.
 * @throws RangeError when the pools leave nothing of the image.
 */
export function convnet(
  device: Device,
  task: ImageTask,
  widths: readonly number[],
  seed: number,
): ImageModel {
  const layers = new Layers(device, convnetLayers(widths, task), seed);
  const { height, width, channels } = task;
  const stage = (x: Images, layer: string, pass: Pass): Images => {
    const wide = layers.convolution(x, layer, window, pass);
    const { shape } = wide;
    // The maximum of what is rectified is the rectified maximum, of a quarter of the elements.
    const active = last(wide.pixels, (pixels) =>
      rectifiedMaxPool(pixels, shape, pool, precisionAt(pass, layer)),
    );
    return { pixels: active, shape: poolShape(shape, pool) };
  };
  const logits = (pixels: Tensor, batch: number, pass: Pass): Tensor => {
    let x: Images = { pixels, shape: { batch, height, width, channels } };
    for (const i of widths.keys()) {
      const before = x.pixels;
      x = stage(x, `conv${i + 1}`, pass);
      if (before !== pixels) device.tape.discard(before);
    }
    const { shape } = x;
    const flat = reshape(x.pixels, [batch, shape.height * shape.width * shape.channels]);
    return layers.linear(flat, "linear", pass);
  };
  const { parameters, buffers, names } = layers;
  return { parameters, buffers, task, layers: names, logits };
}

const preset = (summary: string, widths: readonly number[]): ImageModelDefinition => ({
  summary,
  drops: false,
  layers: (task) => convnetLayers(widths, task),
  build: (device, task, seed) => convnet(device, task, widths, seed),
});

export const presets: ImagePresets = {
  convnet: preset("three 3×3 convolutions of 32, 64 and 64 channels, each pooled 2×2, and a linear layer", [32, 64, 64]),
  "convnet-mini": preset("for tests: two convolutions of 4 and 8 channels", [4, 8]),
}; // prettier-ignore
