/** What training needs of a GAN. */
import type { LayerSpec } from "../nn/layer-specs.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageTask } from "./image-model.ts";

/** A pair of networks: one makes images of a class, the other tells them from real ones. */
export interface GanModel {
  readonly parameters: readonly Parameter[];
  /** Running statistics and states of spectral norms, by name. */
  readonly buffers: Readonly<Record<string, Tensor>>;
  readonly task: ImageTask;
  /** Names of what reads or keeps tensors in a policy's formats. */
  readonly layers: readonly string[];
  /** Normal numbers that an image is made of. */
  readonly latent: number;
  /** Those of the parameters that make images, and those that judge them. */
  readonly generator: readonly Parameter[];
  readonly discriminator: readonly Parameter[];
  /**
   * @param noise   [images, latent], row-major
   * @param labels  class of each image
   * @returns pixels from -1 to 1, [images · height · width, channels]
   */
  generate(noise: Float32Array, labels: Int32Array, pass: Pass): Tensor;
  /**
   * @param pixels  [images · height · width, channels], from -1 to 1
   * @param labels  class of each image
   * @returns scores, [images, 1]: the greater the more like a real image of its class
   */
  discriminate(pixels: Tensor, labels: Int32Array, pass: Pass): Tensor;
}

/** A GAN of given sizes. */
export interface GanDefinition {
  /** One line for lists. */
  readonly summary: string;
  /** Its layers, described and not made. @throws RangeError for images that do not fit it. */
  layers(task: ImageTask): readonly LayerSpec[];
  /** Fresh float32 parameters, drawn from the seed. @throws RangeError for images that do not fit it. */
  build(device: Device, task: ImageTask, seed: number): GanModel;
}
