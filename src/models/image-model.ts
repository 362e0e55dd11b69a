/** What training needs of a model that says what an image shows. */
import { countParameters, type LayerSpec } from "../nn/layer-specs.ts";
import type { Pass } from "../nn/pass.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The images a model takes and the classes it tells apart. */
export interface ImageTask {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
}

/** A model that gives each class of an image a logit. */
export interface ImageModel {
  readonly parameters: readonly Parameter[];
  /** Running statistics by name: state that is no parameter. */
  readonly buffers: Readonly<Record<string, Tensor>>;
  readonly task: ImageTask;
  /** Names of what reads or keeps tensors in a policy's formats, in the order of the forward pass. */
  readonly layers: readonly string[];
  /**
   * @param pixels  [batch · height · width, channels], float32
   * @param batch   number of images
   * @returns logits, [batch, classes]
   */
  logits(pixels: Tensor, batch: number, pass: Pass): Tensor;
}

/** An architecture of given sizes. */
export interface ImageModelDefinition {
  /** One line for lists. */
  readonly summary: string;
  /** Whether it drops activations in training, where a pass asks for it. */
  readonly drops: boolean;
  /** Its layers, described and not made. @throws RangeError for images that do not fit it. */
  layers(task: ImageTask): readonly LayerSpec[];
  /** Fresh float32 parameters, drawn from the seed. @throws RangeError for images that do not fit it. */
  build(device: Device, task: ImageTask, seed: number): ImageModel;
}

/** Architectures of one family by name. A module of this folder is registered by exporting them as `presets`. */
export type ImagePresets = Readonly<Record<string, ImageModelDefinition>>;

/** Parameters of a model that is not made: nothing is allocated. */
export const parameterCount = (definition: ImageModelDefinition, task: ImageTask): number =>
  countParameters(definition.layers(task));
