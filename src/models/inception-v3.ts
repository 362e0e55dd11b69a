/** Inception-v3 as a judge of images: the features whose distance is the FID, and its classes. Not for training. */
import { last } from "../nn/layers.ts";
import { concatenate } from "../ops/concatenate.ts";
import { conv2d, type Images } from "../ops/conv2d.ts";
import { linear } from "../ops/linear.ts";
import type { LayerPrecision } from "../ops/operand.ts";
import { averagePool, globalAveragePool, maxPool, poolShape } from "../ops/pooling.ts";
import { relu } from "../ops/relu.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import type { Device } from "../tensor/device.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  type InceptionConfig,
  type InceptionConvolution,
  type InceptionPool,
  inceptionFeatures,
  type InceptionStep,
  inceptionSteps,
} from "./inception-layers.ts";
import type { InceptionWeights } from "./inception-weights.ts";

/** Float32 throughout, as the published numbers were made; nothing is drawn. */
const exact: LayerPrecision = { policy: parsePolicy("fp32"), key: () => [0, 0] };

interface Filter {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/**
 * Inception-v3 on a device, its batch norms folded into its convolutions. Its weights stay until {@link free}.
 *
 * Evaluation alone: run it where no tape records (`tape.without`), or memory is kept for a backward pass that has no parameters.
 *
 * @source Szegedy et al. 2016, Rethinking the Inception architecture for computer vision, as torchvision's `inception_v3` has it;
 *   the variant `fid` as pytorch-fid's `fid_inception_v3`.
 */
export class InceptionV3 {
  readonly config: InceptionConfig;
  private readonly device: Device;
  private readonly steps: readonly InceptionStep[];
  private readonly filters: ReadonlyMap<string, Filter>;

  constructor(device: Device, { config, layers }: InceptionWeights) {
    this.config = config;
    this.device = device;
    this.steps = inceptionSteps(config.variant);
    const place = (values: Float32Array, shape: readonly number[]): Tensor =>
      device.keep(device.tensor(values, shape));
    this.filters = new Map(
      [...layers].map(([name, { weight, bias }]) => [
        name,
        {
          weight: place(weight, [bias.length, weight.length / bias.length]),
          bias: place(bias, [bias.length]),
        },
      ]),
    );
  }

  /** Numbers of {@link features}: 2,048 at the published width. */
  get width(): number {
    return inceptionFeatures(this.config);
  }

  /**
   * What the last pool gives, and the classifier reads.
   *
   * @param images  three channels in -1 to 1, of 299×299 pixels, or of any size from 75×75 on. Their memory is given back.
   * @returns [batch, width]
   */
  features(images: Images): Tensor {
    const { pixels, shape } = this.run(images, this.steps, true);
    return last(pixels, (x) => globalAveragePool(x, shape));
  }

  /** @param features  as {@link features} gives them. @returns [batch, 1,008 or 1,000] */
  logits(features: Tensor): Tensor {
    const { weight, bias } = this.filter("fc");
    return linear(features, weight, bias, exact);
  }

  free(): void {
    for (const { weight, bias } of this.filters.values())
      for (const tensor of [weight, bias]) this.device.free(tensor);
  }

  private filter(name: string): Filter {
    const filter = this.filters.get(name);
    if (!filter) throw new Error(`logrung: Inception-v3 without weights of "${name}"`);
    return filter;
  }

  /** @param isLast  whether nothing reads the input afterwards. */
  private run(input: Images, steps: readonly InceptionStep[], isLast: boolean): Images {
    let x = input;
    for (const step of steps) {
      const y =
        step.kind === "convolution"
          ? this.convolution(x, step)
          : step.kind === "beside"
            ? this.beside(x, step.branches)
            : this.pool(x, step);
      if (isLast || x !== input) this.device.tape.discard(x.pixels);
      x = y;
    }
    return x;
  }

  private convolution(x: Images, { name, kernel, stride, padding }: InceptionConvolution): Images {
    const { weight, bias } = this.filter(name);
    const { pixels, shape } = conv2d(x, weight, bias, { kernel, stride, padding }, exact);
    return { pixels: last(pixels, (sums) => relu(sums)), shape };
  }

  private beside(x: Images, branches: readonly InceptionStep[][]): Images {
    const made = branches.map((branch) => this.run(x, branch, false));
    const parts = made.map(({ pixels }) => pixels);
    const pixels = concatenate(parts);
    this.device.tape.discard(...parts);
    return { pixels, shape: { ...made[0].shape, channels: pixels.shape[1] } };
  }

  private pool({ pixels, shape }: Images, { kind, stride, padding }: InceptionPool): Images {
    const options = { kernel: [3, 3], stride, padding } as const;
    const countsPadding = this.config.variant === "torchvision";
    const pooled =
      kind === "maximum"
        ? maxPool(pixels, shape, options)
        : averagePool(pixels, shape, { ...options, countsPadding });
    return { pixels: pooled, shape: poolShape(shape, options) };
  }
}
