/** Residual networks: He et al.'s for ImageNet, and those for CIFAR that keep 32×32 pixels in the first stage. */
import {
  batchNormLayer,
  convolutionLayer,
  heFanOutInitial,
  linearLayer,
  pytorchInitial,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import { last, lastPixels, Layers } from "../nn/layers.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { add } from "../ops/add.ts";
import type { ConvOptions } from "../ops/conv-geometry.ts";
import type { Images } from "../ops/conv2d.ts";
import { globalAveragePool, maxPool, poolShape } from "../ops/pooling.ts";
import { relu } from "../ops/relu.ts";
import type { Device } from "../tensor/device.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageModel, ImageModelDefinition, ImagePresets, ImageTask } from "./image-model.ts";

/** What a residual network is made of. */
export interface ResNetConfig {
  /**
   * `cifar`: a 3×3 convolution before the stages, names as kuangliu's, PyTorch's initial values. `imagenet`: a 7×7 convolution of
   * stride 2 and a 3×3 maximum pool, names and initial values as torchvision's.
   */
  readonly style: "cifar" | "imagenet";
  /** `basic`: two 3×3 convolutions. `bottleneck`: 1×1, 3×3 (which has the stride) and 1×1 to four times the width. */
  readonly block: "basic" | "bottleneck";
  /** Channels before the first stage. */
  readonly stem: number;
  /** Channels of each stage; all but the first halve height and width. */
  readonly widths: readonly number[];
  /** Blocks of each stage. */
  readonly blocks: readonly number[];
  /** Whether batch norms have a gain and a bias; the Madam paper's do not. */
  readonly affine: boolean;
}

/** One block: its name, channels and what its convolutions are. */
interface Block {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Each followed by a batch norm of the same number. */
  readonly convolutions: readonly { readonly channels: readonly [number, number]; readonly window: 1 | 3; readonly stride: number }[];
  readonly stride: number;
} // prettier-ignore

/** Where the two styles differ in their names. */
const styles = {
  cifar: { shortcut: "shortcut", classifier: "linear", initialise: pytorchInitial },
  imagenet: { shortcut: "downsample", classifier: "fc", initialise: heFanOutInitial },
} as const;

function blocksOf({ block, stem, widths, blocks }: ResNetConfig): Block[] {
  const grown = block === "basic" ? 1 : 4;
  let from = stem;
  return widths.flatMap((width, stage) =>
    Array.from({ length: blocks[stage] }, (_, i): Block => {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const to = width * grown;
      const convolutions: Block["convolutions"] =
        block === "basic"
          ? [
              { channels: [from, width], window: 3, stride },
              { channels: [width, to], window: 3, stride: 1 },
            ]
          : [
              { channels: [from, width], window: 1, stride: 1 },
              { channels: [width, width], window: 3, stride },
              { channels: [width, to], window: 1, stride: 1 },
            ];
      const made = { name: `layer${stage + 1}.${i}`, from, to, convolutions, stride };
      from = to;
      return made;
    }),
  );
}

const hasShortcut = ({ from, to, stride }: Block): boolean => from !== to || stride !== 1;

function resnetLayers(config: ResNetConfig, { channels, classes }: ImageTask): LayerSpec[] {
  const { style, stem, affine } = config;
  const { shortcut, classifier, initialise } = styles[style];
  const pair = (
    convolution: string,
    norm: string,
    [from, to]: readonly [number, number],
    window: number,
  ): LayerSpec[] => [
    convolutionLayer(convolution, [from, to], window, { bias: false, initialise }),
    batchNormLayer(norm, to, affine),
  ];
  const blocks = blocksOf(config);
  const ofBlock = (block: Block): LayerSpec[] => [
    ...block.convolutions.flatMap(({ channels: ends, window }, i) =>
      pair(`${block.name}.conv${i + 1}`, `${block.name}.bn${i + 1}`, ends, window),
    ),
    ...(hasShortcut(block)
      ? pair(`${block.name}.${shortcut}.0`, `${block.name}.${shortcut}.1`, [block.from, block.to], 1)
      : []),
  ];
  return [
    ...pair("conv1", "bn1", [channels, stem], style === "cifar" ? 3 : 7),
    ...blocks.flatMap(ofBlock),
    linearLayer(classifier, [blocks.at(-1)?.to ?? stem, classes]),
  ];
}

class ResNet implements ImageModel {
  readonly task: ImageTask;
  private readonly config: ResNetConfig;
  private readonly stack: Layers;
  private readonly blocks: readonly Block[];
  private readonly device: Device;

  constructor(device: Device, task: ImageTask, config: ResNetConfig, seed: number) {
    this.device = device;
    this.task = task;
    this.config = config;
    this.stack = new Layers(device, resnetLayers(config, task), seed);
    this.blocks = blocksOf(config);
  }

  get parameters() {
    return this.stack.parameters;
  }

  get buffers() {
    return this.stack.buffers;
  }

  get layers() {
    return this.stack.names;
  }

  logits(pixels: Tensor, batch: number, pass: Pass): Tensor {
    const { height, width, channels } = this.task;
    let x = this.stem({ pixels, shape: { batch, height, width, channels } }, pass);
    for (const block of this.blocks) x = this.block(x, block, pass);
    const { shape } = x;
    const features = last(x.pixels, (last_) => globalAveragePool(last_, shape)); // [batch, channels]
    return last(features, (input) => this.stack.linear(input, styles[this.config.style].classifier, pass));
  }

  private stem(x: Images, pass: Pass): Images {
    if (this.config.style === "cifar") {
      const y = this.normalised(x, "conv1", "bn1", { kernel: [3, 3], padding: 1 }, pass);
      return this.active(y, "bn1", pass);
    }
    const y = this.normalised(x, "conv1", "bn1", { kernel: [7, 7], padding: 3, stride: 2 }, pass);
    const pool = { kernel: [3, 3], stride: 2, padding: 1 } as const;
    // The maximum of what is rectified is the rectified maximum, of a quarter of the elements.
    const most = {
      pixels: last(y.pixels, (pixels) => maxPool(pixels, y.shape, pool)),
      shape: poolShape(y.shape, pool),
    };
    return this.active(most, "bn1", pass);
  }

  /** relu(F(x) + shortcut(x)). x is discarded: the block is the last to read it. */
  private block(x: Images, block: Block, pass: Pass): Images {
    const { name, convolutions, stride } = block;
    let y = x;
    for (const [i, { window, stride: step }] of convolutions.entries()) {
      const options = { kernel: [window, window] as const, padding: (window - 1) / 2, stride: step };
      const before = y.pixels;
      y = this.normalised(y, `${name}.conv${i + 1}`, `${name}.bn${i + 1}`, options, pass);
      if (before !== x.pixels) this.device.tape.discard(before);
      if (i < convolutions.length - 1) y = this.active(y, `${name}.bn${i + 1}`, pass);
    }
    const { shortcut } = styles[this.config.style];
    const straight = hasShortcut(block)
      ? this.normalised(x, `${name}.${shortcut}.0`, `${name}.${shortcut}.1`, { kernel: [1, 1], stride }, pass)
      : x;
    const sum = { pixels: add(y.pixels, straight.pixels), shape: y.shape };
    this.device.tape.discard(y.pixels, straight.pixels, x.pixels);
    return this.active(sum, `${name}.bn${convolutions.length}`, pass);
  }

  /** Rectified, in the precision of the batch norm before. */
  private active(x: Images, norm: string, pass: Pass): Images {
    return lastPixels(x, (pixels) => relu(pixels, precisionAt(pass, norm)));
  }

  /** A convolution and its batch norm. */
  private normalised(x: Images, convolution: string, norm: string, options: ConvOptions, pass: Pass): Images {
    const y = this.stack.convolution(x, convolution, options, pass);
    return lastPixels(y, (pixels) => this.stack.batchNorm(pixels, norm, pass));
  }
}

/**
 * Builds a residual network with fresh float32 parameters and running statistics.
 *
 * @throws RangeError when widths and blocks are not as many.
 * @source He et al. 2016, Deep residual learning for image recognition; for `cifar` github.com/kuangliu/pytorch-cifar, which
 *   the Madam paper trains.
 */
export function resnet(device: Device, task: ImageTask, config: ResNetConfig, seed: number): ImageModel {
  const { widths, blocks } = config;
  if (widths.length !== blocks.length)
    throw new RangeError(
      `logrung: resnet of ${widths.length} widths and ${blocks.length} numbers of blocks, wants as many`,
    );
  return new ResNet(device, task, config, seed);
}

const preset = (summary: string, config: ResNetConfig): ImageModelDefinition => ({
  summary,
  drops: false,
  layers: (task) => resnetLayers(config, task),
  build: (device, task, seed) => resnet(device, task, config, seed),
});

const cifar: ResNetConfig = {
  style: "cifar",
  block: "basic",
  stem: 64,
  widths: [64, 128, 256, 512],
  blocks: [2, 2, 2, 2],
  affine: true,
};
const narrow: ResNetConfig = { ...cifar, stem: 16, widths: [16, 32, 64], blocks: [1, 1, 1] };
const imagenet: ResNetConfig = { ...cifar, style: "imagenet", block: "bottleneck", blocks: [3, 4, 6, 3] };

export const presets: ImagePresets = {
  "resnet18-cifar": preset("ResNet-18 for 32×32 images, 64 to 512 channels", cifar),
  "resnet18-cifar-plain": preset("the same, its batch norms without gain and bias", { ...cifar, affine: false }),
  resnet50: preset("ResNet-50 for ImageNet, as torchvision's", imagenet),
  "resnet8-cifar": preset("narrow: three blocks of 16, 32 and 64 channels", narrow),
  "resnet8-cifar-plain": preset("the same, its batch norms without gain and bias", { ...narrow, affine: false }),
  "resnet-mini": preset("for tests: two blocks of 4 and 6 channels", { ...cifar, stem: 4, widths: [4, 6], blocks: [1, 1] }),
  "resnet50-mini": preset("for tests: two bottlenecks", { ...imagenet, stem: 4, widths: [2, 3], blocks: [1, 1] }),
}; // prettier-ignore
