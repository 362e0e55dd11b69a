/** A multi-layer perceptron. */
import { heInitial, linearLayer, type Initialise, type LayerSpec } from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { relu } from "../ops/relu.ts";
import { reshape } from "../ops/reshape.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageModel, ImageModelDefinition, ImagePresets, ImageTask } from "./image-model.ts";

export interface Mlp {
  readonly parameters: readonly Parameter[];
  /** Names of the layers for a policy's patterns. */
  readonly layers: readonly string[];
  /** @param x [rows, widths[0]]  @returns logits, [rows, last width] */
  logits(x: Tensor, pass: Pass): Tensor;
}

function mlpLayers(widths: readonly number[], initialise?: Initialise): LayerSpec[] {
  if (widths.length < 2) throw new RangeError(`logrung: mlp of ${widths.length} widths, wants at least 2`);
  return widths.slice(1).map((out, i) => linearLayer(`layers.${i}`, [widths[i], out], initialise));
}

/**
 * relu(… relu(x W₀ᵀ + b₀) …) Wₙᵀ + bₙ
 *
 * @param widths      of input, hidden layers and output; at least two.
 * @param initialise  default N(0, 2 / in) and biases 0.
 * @throws RangeError when there are fewer.
 * @source He et al. 2015, Delving deep into rectifiers (the initial deviation).
 */
export function mlp(
  device: Device,
  widths: readonly number[],
  seed: number,
  initialise: Initialise = heInitial,
): Mlp {
  const layers = new Layers(device, mlpLayers(widths, initialise), seed);
  const { names, parameters } = layers;
  return { parameters, layers: names, logits: (x, pass) => forward(layers, x, pass) };
}

function forward(layers: Layers, x: Tensor, pass: Pass): Tensor {
  const { names } = layers;
  return names.reduce((input, name, i) => {
    const affine = (from: Tensor): Tensor => layers.linear(from, name, pass);
    const out = i === 0 ? affine(input) : last(input, affine);
    return i < names.length - 1 ? last(out, (from) => relu(from, precisionAt(pass, name))) : out;
  }, x);
}

const widthsOf = (hidden: readonly number[], { channels, height, width, classes }: ImageTask): number[] => [
  channels * height * width,
  ...hidden,
  classes,
];

/** An {@link mlp} on the pixels of images, with PyTorch's initial values. */
function mlpOfImages(device: Device, task: ImageTask, hidden: readonly number[], seed: number): ImageModel {
  const layers = new Layers(device, mlpLayers(widthsOf(hidden, task)), seed);
  return { parameters: layers.parameters, buffers: {}, task, layers: layers.names, logits };

  function logits(pixels: Tensor, batch: number, pass: Pass): Tensor {
    return forward(layers, reshape(pixels, [batch, task.channels * task.height * task.width]), pass);
  }
}

const preset = (summary: string, hidden: readonly number[]): ImageModelDefinition => ({
  summary,
  drops: false,
  layers: (task) => mlpLayers(widthsOf(hidden, task)),
  build: (device, task, seed) => mlpOfImages(device, task, hidden, seed),
});

export const presets: ImagePresets = {
  mlp: preset("two hidden layers of 256 and 128", [256, 128]),
  "mlp-mini": preset("for tests: one hidden layer of 12", [12]),
};
