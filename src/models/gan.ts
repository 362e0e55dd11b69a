/** Conditional GANs: residual generator and discriminator with spectral norm, a non-local block in each. */
import { suggestion } from "../formats/nearest-name.ts";
import { last, lastPixels, Layers } from "../nn/layers.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { add } from "../ops/add.ts";
import { concatenate } from "../ops/concatenate.ts";
import { conditionalAffine } from "../ops/conditional-affine.ts";
import type { Images } from "../ops/conv2d.ts";
import { gatedSum } from "../ops/gated-sum.ts";
import { nonLocalAttention } from "../ops/non-local.ts";
import { averagePool, globalAveragePool, maxPool, poolShape } from "../ops/pooling.ts";
import { relu } from "../ops/relu.ts";
import { reshape } from "../ops/reshape.ts";
import { rowDot } from "../ops/row-dot.ts";
import { scaled } from "../ops/scaled.ts";
import { tanh } from "../ops/tanh.ts";
import { upsampledShape, upsampleNearest } from "../ops/upsample.ts";
import type { Device } from "../tensor/device.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  discriminatorBlocks,
  entriesOf,
  ganLayers,
  generatorBlocks,
  hasShortcut,
  startOf,
  type GanBlock,
  type GanConfig,
} from "./gan-layers.ts";
import type { GanDefinition, GanModel } from "./gan-model.ts";
import type { ImageTask } from "./image-model.ts";

export type { GanConfig } from "./gan-layers.ts";
export type { GanDefinition, GanModel } from "./gan-model.ts";

const three = { kernel: [3, 3], padding: 1 } as const;
const one = { kernel: [1, 1] } as const;
const half = { kernel: [2, 2] } as const;

/** Scores are multiplied by this, so that those of features of length 1 reach the margin of the hinge. */
const SCORE_SCALE = 10;

class Gan implements GanModel {
  readonly task: ImageTask;
  readonly latent: number;
  private readonly device: Device;
  private readonly config: GanConfig;
  private readonly stack: Layers;

  constructor(device: Device, task: ImageTask, config: GanConfig, seed: number) {
    this.device = device;
    this.task = task;
    this.config = config;
    this.latent = config.chunk * config.generator.widths.length;
    this.stack = new Layers(device, ganLayers(config, task), seed);
  }

  get parameters() {
    return this.stack.parameters;
  }

  get generator() {
    return this.parameters.filter(({ name }) => name.startsWith("generator."));
  }

  get discriminator() {
    return this.parameters.filter(({ name }) => name.startsWith("discriminator."));
  }

  get buffers() {
    return this.stack.buffers;
  }

  get layers() {
    return this.stack.names;
  }

  generate(noise: Float32Array, labels: Int32Array, pass: Pass): Tensor {
    const { config, stack } = this;
    const { widths, nonLocal } = config.generator;
    const [height, width] = startOf(config, this.task);
    const chunks = this.chunks(noise, labels.length);
    const classes = stack.linear(this.oneHot(labels), "generator.embedding", pass); // [n, embedding]
    const first = stack.linear(chunks[0], "generator.fc", pass);
    const shape = { batch: labels.length, height, width, channels: widths[0] };
    let x: Images = { pixels: reshape(first, [labels.length * height * width, widths[0]]), shape };
    for (const [i, block] of generatorBlocks(config).entries()) {
      if (i === nonLocal) x = this.nonLocal(x, "generator.non_local", pass);
      x = this.enlarge(x, block, concatenate([classes, chunks[i + 1]]), pass);
    }
    if (nonLocal === widths.length - 1) x = this.nonLocal(x, "generator.non_local", pass);
    const normal = lastPixels(x, (pixels) => stack.batchNorm(pixels, "generator.bn_img", pass));
    const active = this.active(normal, "generator.bn_img", pass);
    const image = stack.convolution(active, "generator.conv_img", three, pass);
    this.device.tape.discard(active.pixels);
    return last(image.pixels, tanh);
  }

  discriminate(pixels: Tensor, labels: Int32Array, pass: Pass): Tensor {
    const { config, stack, device } = this;
    const { nonLocal } = config.discriminator;
    const name = "discriminator.non_local";
    let x = this.firstStage(pixels, labels.length, pass);
    for (const [i, block] of discriminatorBlocks(config).entries()) {
      if (i === nonLocal) x = this.nonLocal(x, name, pass);
      x = this.judge(x, block, pass);
    }
    if (nonLocal === config.discriminator.widths.length - 1) x = this.nonLocal(x, name, pass);
    const active = this.active(x, "discriminator.linear", pass);
    const features = last(active.pixels, (input) => globalAveragePool(input, active.shape)); // [n, channels]
    const plain = stack.linear(features, "discriminator.linear", pass);
    const ids = device.tensor(labels, [labels.length]);
    const ofClass = rowDot(features, stack.embedding(ids, "discriminator.embed", pass));
    return scaled(add(plain, ofClass), SCORE_SCALE);
  }

  /** The noise of the first layer and of each block, [n, chunk] each. */
  private chunks(noise: Float32Array, images: number): Tensor[] {
    const { chunk } = this.config;
    return Array.from({ length: this.latent / chunk }, (_, k) => {
      const part = new Float32Array(images * chunk);
      for (let i = 0; i < images; i++) {
        const from = i * this.latent + k * chunk;
        part.set(noise.subarray(from, from + chunk), i * chunk);
      }
      return this.device.tensor(part, [images, chunk]);
    });
  }

  private oneHot(labels: Int32Array): Tensor {
    const entries = entriesOf(this.config, this.task);
    const rows = new Float32Array(labels.length * entries);
    for (const [i, label] of labels.entries()) rows[i * entries + label] = 1;
    return this.device.tensor(rows, [labels.length, entries]);
  }

  /** Rectified, in the precision of the layer named. x is discarded. */
  private active(x: Images, layer: string, pass: Pass): Images {
    return lastPixels(x, (pixels) => relu(pixels, precisionAt(pass, layer)));
  }

  /** relu(gain · norm(x) + bias), both from class and noise. */
  private conditionalNorm(x: Images, name: string, condition: Tensor, pass: Pass): Images {
    const { stack, config } = this;
    const gain = stack.linear(condition, `${name}.mlp_gamma`, pass);
    const bias = stack.linear(condition, `${name}.mlp_beta`, pass);
    const layer = `${name}.batch_norm`;
    const normal = stack.batchNorm(x.pixels, layer, pass, config.momentum);
    const y = last(normal, (input) =>
      conditionalAffine(input, x.shape, gain, bias, precisionAt(pass, layer)),
    );
    return this.active({ pixels: y, shape: x.shape }, layer, pass);
  }

  private convolution(x: Images, layer: string, pass: Pass): Images {
    return lastImages(x, (input) => this.stack.convolution(input, layer, three, pass));
  }

  /** A block of the generator: twice as high and wide. x is discarded. */
  private enlarge(x: Images, block: GanBlock, condition: Tensor, pass: Pass): Images {
    const { name } = block;
    const { device } = this;
    const double = (images: Images): Images => ({
      pixels: upsampleNearest(images.pixels, images.shape, 2),
      shape: upsampledShape(images.shape, 2),
    });
    const a = this.conditionalNorm(x, `${name}.cbn_0`, condition, pass);
    const b = this.convolution(lastImages(a, double), `${name}.conv_0`, pass);
    const c = this.conditionalNorm(b, `${name}.cbn_1`, condition, pass);
    device.tape.discard(b.pixels);
    const y = this.convolution(c, `${name}.conv_1`, pass);
    // A convolution of single pixels may come before they are repeated: the same result of a quarter of the work.
    const short = hasShortcut(block) ? this.stack.convolution(x, `${name}.conv_s`, one, pass) : x;
    const skip = double(short);
    const sum = add(y.pixels, skip.pixels);
    device.tape.discard(y.pixels, skip.pixels, short.pixels, x.pixels);
    return { pixels: sum, shape: y.shape };
  }

  /** The discriminator's first stage: half as high and wide. */
  private firstStage(pixels: Tensor, batch: number, pass: Pass): Images {
    const { height, width, channels } = this.task;
    const { stack, device } = this;
    const x = { pixels, shape: { batch, height, width, channels } };
    const a = stack.convolution(x, "discriminator.pre_conv.0", three, pass);
    const b = this.convolution(this.active(a, "discriminator.pre_conv.0", pass), "discriminator.pre_conv.2", pass);
    const y = lastImages(b, halved);
    const skip = lastImages(halved(x), (input) => stack.convolution(input, "discriminator.pre_skip", one, pass));
    const sum = add(y.pixels, skip.pixels);
    device.tape.discard(y.pixels, skip.pixels);
    return { pixels: sum, shape: y.shape };
  } // prettier-ignore

  /** A block of the discriminator. x is discarded. */
  private judge(x: Images, block: GanBlock, pass: Pass): Images {
    const { name, resizes } = block;
    const { stack, device } = this;
    const first = relu(x.pixels, precisionAt(pass, `${name}.conv_0`));
    const a = this.convolution({ pixels: first, shape: x.shape }, `${name}.conv_0`, pass);
    const b = this.convolution(this.active(a, `${name}.conv_0`, pass), `${name}.conv_1`, pass);
    const y = resizes ? lastImages(b, halved) : b;
    // The mean of a convolution of single pixels is the convolution of their mean: a quarter of the work.
    const small = resizes ? halved(x) : x;
    const skip = hasShortcut(block) ? stack.convolution(small, `${name}.conv_s`, one, pass) : small;
    const sum = add(y.pixels, skip.pixels);
    device.tape.discard(y.pixels, skip.pixels, small.pixels, x.pixels);
    return { pixels: sum, shape: y.shape };
  }

  /** x + γ · convolution of the attention of its pixels to those of it at half the size. x is discarded. */
  private nonLocal(x: Images, name: string, pass: Pass): Images {
    const { stack, device } = this;
    const pointwise = (images: Images, layer: string): Images =>
      stack.convolution(images, `${name}.${layer}`, one, pass);
    const pooled = (images: Images): Tensor =>
      last(images.pixels, (pixels) => maxPool(pixels, images.shape, half));
    const query = pointwise(x, "theta").pixels;
    const key = pooled(pointwise(x, "phi"));
    const value = pooled(pointwise(x, "g"));
    const precision = precisionAt(pass, `${name}.attention`);
    const attended = nonLocalAttention(query, key, value, x.shape.batch, precision);
    device.tape.discard(query, key, value);
    const shape = { ...x.shape, channels: value.shape[1] };
    const branch = lastImages({ pixels: attended, shape }, (input) => pointwise(input, "out_conv"));
    const sum = gatedSum(x.pixels, branch.pixels, stack.tensor(name, "gate"));
    device.tape.discard(branch.pixels, x.pixels);
    return { pixels: sum, shape: x.shape };
  }
}

/** An operation on images that is the last to read them. */
const lastImages = (x: Images, operation: (x: Images) => Images): Images => {
  const y = operation(x);
  x.pixels.device.tape.discard(x.pixels);
  return y;
};

/** Means of 2×2 pixels. */
const halved = ({ pixels, shape }: Images): Images => ({
  pixels: averagePool(pixels, shape, half),
  shape: poolShape(shape, half),
});

/**
 * Builds a GAN with fresh float32 parameters: orthogonal weights, biases from N(0, 0.01²), gates of 1.
 *
 * Convolutions, linear layers and tables are divided by their spectral norms. Each residual block of the generator normalises
 * by the batch and scales and shifts by numbers made of the class and of a part of the noise; the discriminator's score is a
 * linear function of its features and their inner product with an embedding of the class.
 *
 * @throws RangeError when images or classes do not fit.
 * @source Bernstein et al. 2020 (Madam) and its reference code; Zhang et al. 2019, Self-attention GANs; Miyato and Koyama 2018.
 */
export const gan = (device: Device, task: ImageTask, config: GanConfig, seed: number): GanModel =>
  new Gan(device, task, config, seed);

const preset = (summary: string, config: GanConfig): GanDefinition => ({
  summary,
  layers: (task) => ganLayers(config, task),
  build: (device, task, seed) => gan(device, task, config, seed),
});

/** By name. */
export const ganPresets: Readonly<Record<string, GanDefinition>> = {
  "gan-cifar": preset("the Madam paper's, for 32×32 images: 64 to 256 channels", {
    generator: { widths: [256, 256, 128, 64], nonLocal: 2 },
    discriminator: { widths: [64, 128, 256, 256], halvings: 3, nonLocal: 1 },
    chunk: 20, embedding: 80, entries: 1000, momentum: 0.001,
  }),
  "gan-28": preset("small, for 28×28 images: 16 to 32 channels", {
    generator: { widths: [32, 32, 16], nonLocal: 1 },
    discriminator: { widths: [16, 32, 32], halvings: 2, nonLocal: 0 },
    chunk: 16, embedding: 16, entries: null, momentum: 0.1,
  }),
  "gan-mini": preset("for tests: 4 and 6 channels", {
    generator: { widths: [6, 4], nonLocal: 1 },
    discriminator: { widths: [4, 6], halvings: 1, nonLocal: 0 },
    chunk: 3, embedding: 2, entries: null, momentum: 0.1,
  }),
}; // prettier-ignore

/** The GAN of a name. @throws RangeError naming the nearest one. */
export function ganPreset(name: string): GanDefinition {
  if (Object.hasOwn(ganPresets, name)) return ganPresets[name];
  throw new RangeError(`logrung: unknown model "${name}" ${suggestion(name, Object.keys(ganPresets))}`);
}
