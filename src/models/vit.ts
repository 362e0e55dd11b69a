/** Vision transformers: an image as a sequence of patches. */
import {
  convolutionLayer,
  layerNormLayer,
  linearLayer,
  type Initialise,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import type { Pass } from "../nn/pass.ts";
import { blockSpecs, transformerBlocks, underscored, type BlockStyle } from "../nn/transformer-block.ts";
import { add } from "../ops/add.ts";
import { stack } from "../ops/concatenate.ts";
import { dropout } from "../ops/dropout.ts";
import { embedding } from "../ops/embedding.ts";
import { exactGelu } from "../ops/exact-gelu.ts";
import { permutation, permuteRows, type Permutation } from "../ops/permute-rows.ts";
import type { Device } from "../tensor/device.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageModel, ImageModelDefinition, ImagePresets, ImageTask } from "./image-model.ts";

/** Sizes of a vision transformer. */
export interface VitConfig {
  /** Pixels of a patch's side; height and width of the images divide by it. */
  readonly patch: number;
  readonly width: number;
  readonly layers: number;
  /** Heads of attention; the width divides by them. */
  readonly heads: number;
  /** Inner width of each block's two linear layers. Default 4 times the width. */
  readonly hidden?: number | undefined;
  /** ε of the layer norms. Default 1e-6, torchvision's. */
  readonly epsilon?: number | undefined;
}

const epsilonOf = ({ epsilon = 1e-6 }: VitConfig): number => epsilon;

/** Patches of an image. @throws RangeError when its sides do not divide by the patch's. */
function patchesOf({ height, width }: ImageTask, { patch }: VitConfig): number {
  if (height % patch !== 0 || width % patch !== 0)
    throw new RangeError(
      `logrung: vit of patches of ${patch}×${patch} in images of ${height}×${width}: sides must divide`,
    );
  return (height / patch) * (width / patch);
}

/** Uniform in ±√(6 / (in + out)) (Xavier); biases near 0. */
const xavier: Initialise = (fanIn, fanOut) => ({
  weight: { bound: Math.sqrt(6 / (fanIn + fanOut)) },
  bias: { deviation: 1e-6 },
});

/** As PyTorch's, biases 0: the way out of attention. */
const outOfAttention: Initialise = (fanIn) => ({ weight: { bound: fanIn ** -0.5 }, bias: { value: 0 } });

/** N(0, 1 / in): what patches are embedded by. */
const ofPatches: Initialise = (fanIn) => ({ weight: { deviation: fanIn ** -0.5 }, bias: { value: 0 } });

/** N(0, 0.02²): of the head, where torchvision has zeros, which no multiplicative rule could move. */
const ofHead: Initialise = () => ({ weight: { deviation: 0.02 }, bias: { value: 0 } });

/** A table whose rows are looked up. */
const table = (name: string, rows: number, width: number): LayerSpec => ({
  name,
  parameters: {
    weight: { name, shape: [rows, width], kind: "embedding", initial: { deviation: 0.02 } },
  },
  buffers: {},
});

const styleOf = (config: VitConfig): BlockStyle => ({
  layers: {
    norm1: "ln_1",
    into: "self_attention.in_proj",
    attention: "self_attention",
    out: "self_attention.out_proj",
    norm2: "ln_2",
    up: "mlp.0",
    activation: "mlp.gelu",
    down: "mlp.3",
  },
  dropout: { attention: "attention", hidden: "gelu", output: "mlp" },
  norm: "before",
  epsilon: epsilonOf(config),
  activation: exactGelu,
  causal: false,
});

/** Xavier over the three projections together, biases 0. */
const intoAttention: Initialise = (fanIn, fanOut) => ({ ...xavier(fanIn, fanOut), bias: { value: 0 } });
const initials = { into: intoAttention, out: outOfAttention, up: xavier, down: xavier };

const blockNames = ({ layers }: VitConfig): string[] =>
  Array.from({ length: layers }, (_, i) => `encoder.layers.encoder_layer_${i}`);

/** Layers in the order of the forward pass; those that are no part of a policy begin the list. */
function vitLayers(config: VitConfig, task: ImageTask): { tables: LayerSpec[]; layers: LayerSpec[] } {
  const { patch, width } = config;
  const patches = patchesOf(task, config);
  const embed = { bias: true, initialise: ofPatches };
  const sizes = { width, hidden: config.hidden ?? 4 * width };
  const style = styleOf(config);
  const blocks = blockNames(config).flatMap((name) => blockSpecs(name, style, sizes, initials));
  return {
    tables: [table("class_token", 1, width), table("encoder.pos_embedding", patches + 1, width)],
    layers: [
      convolutionLayer("conv_proj", [task.channels, width], patch, embed),
      ...blocks.map((layer) => (layer.name.endsWith(style.layers.into) ? underscored(layer) : layer)),
      layerNormLayer("encoder.ln", width),
      linearLayer("heads.head", [width, task.classes], ofHead),
    ],
  };
}

class Vit implements ImageModel {
  readonly task: ImageTask;
  readonly layers: readonly string[];
  readonly buffers: Readonly<Record<string, Tensor>> = {};
  private readonly config: VitConfig;
  private readonly stack: Layers;
  private readonly device: Device;
  private readonly patches: number;

  constructor(device: Device, task: ImageTask, config: VitConfig, seed: number) {
    const { tables, layers } = vitLayers(config, task);
    this.device = device;
    this.task = task;
    this.config = config;
    this.stack = new Layers(device, [...tables, ...layers], seed);
    this.layers = layers.map(({ name }) => name);
    this.patches = patchesOf(task, config);
  }

  get parameters() {
    return this.stack.parameters;
  }

  logits(pixels: Tensor, batch: number, pass: Pass): Tensor {
    const tokens = this.tokens(pixels, batch, pass); // [B (1 + patches), width]
    const call = { stack: this.stack, heads: this.config.heads, batch, pass };
    const x = transformerBlocks(tokens, blockNames(this.config), styleOf(this.config), call);
    const first = Int32Array.from({ length: batch }, (_, i) => i * (1 + this.patches));
    const classes = last(x, (rows) => embedding(rows, this.device.tensor(first, [batch])));
    const normal = last(classes, (input) =>
      this.stack.layerNorm(input, "encoder.ln", pass, epsilonOf(this.config)),
    );
    return last(normal, (input) => this.stack.linear(input, "heads.head", pass)); // [B, classes]
  }

  /** Class token and embedded patches of each image, with their positions. */
  private tokens(pixels: Tensor, batch: number, pass: Pass): Tensor {
    const { device, stack: layers, patches, task } = this;
    const { patch, width } = this.config;
    const { height, width: across, channels } = task;
    const images = { pixels, shape: { batch, height, width: across, channels } };
    const options = { kernel: [patch, patch] as const, stride: patch };
    const embedded = layers.convolution(images, "conv_proj", options, pass).pixels;
    const rows = (ids: Int32Array, name: string): Tensor =>
      embedding(layers.tensor(name, "weight"), device.tensor(ids, [ids.length]));
    const classes = rows(new Int32Array(batch), "class_token");
    const stacked = stack([classes, embedded], width); // all class tokens, then all patches
    device.tape.discard(classes, embedded);
    const tokens = last(stacked, (input) => permuteRows(input, tokenOrder(batch, patches), width));
    const places = Int32Array.from({ length: batch * (1 + patches) }, (_, i) => i % (1 + patches));
    const positions = rows(places, "encoder.pos_embedding");
    const sum = add(tokens, positions);
    device.tape.discard(tokens, positions);
    return last(sum, (input) => dropout(input, pass.dropout, pass.key("embedding dropout")));
  }
}

/** From all class tokens followed by all patches to sequences of a class token and its patches. */
function tokenOrder(batch: number, patches: number): Permutation {
  const length = 1 + patches;
  return permutation(`class token first ${batch} ${patches}`, () =>
    Int32Array.from({ length: batch * length }, (_, i) => {
      const [image, place] = [Math.floor(i / length), i % length];
      return place === 0 ? image : batch + image * patches + place - 1;
    }),
  );
}

/**
 * Builds a vision transformer with fresh float32 parameters. Names and initial values are torchvision's (the truncation of its
 * normal draws, at a hundred deviations, apart), but class token and head start from N(0, 0.02²) instead of zeros.
 *
 * @throws RangeError when an image's sides do not divide by the patch's, or the width by the heads.
 * @source Dosovitskiy et al. 2021, An image is worth 16×16 words.
 */
export function vit(device: Device, task: ImageTask, config: VitConfig, seed: number): ImageModel {
  const { width, heads } = config;
  if (width % heads !== 0)
    throw new RangeError(`logrung: vit's width ${width} does not divide by its ${heads} heads`);
  return new Vit(device, task, config, seed);
}

/** A vision transformer of given sizes as an architecture for any images. */
export function vitDefinition(summary: string, config: VitConfig): ImageModelDefinition {
  const layers = (task: ImageTask): LayerSpec[] => {
    const all = vitLayers(config, task);
    return [...all.tables, ...all.layers];
  };
  return { summary, drops: true, layers, build: (device, task, seed) => vit(device, task, config, seed) };
}

const tiny = { width: 192, layers: 12, heads: 3 } as const;
const small = { width: 384, layers: 12, heads: 6 } as const;
const base = { width: 768, layers: 12, heads: 12 } as const;

/** Named by size and patch: 16 for ImageNet's 224×224, 4 for CIFAR's 32×32. */
const described: Readonly<Record<string, readonly [string, VitConfig]>> = {
  "vit-ti16": ["ViT-Ti/16: width 192, 12 layers, patches of 16×16", { ...tiny, patch: 16 }],
  "vit-s16": ["ViT-S/16: width 384, 12 layers, patches of 16×16", { ...small, patch: 16 }],
  "vit-b16": ["ViT-B/16: width 768, 12 layers, patches of 16×16, as torchvision's", { ...base, patch: 16 }],
  "vit-ti4": ["ViT-Ti with patches of 4×4", { ...tiny, patch: 4 }],
  "vit-s4": ["ViT-S with patches of 4×4", { ...small, patch: 4 }],
  "vit-b4": ["ViT-B with patches of 4×4", { ...base, patch: 4 }],
  "vit-small4": ["narrow: width 64, 4 layers, 2 heads, patches of 4×4", { width: 64, layers: 4, heads: 2, patch: 4 }],
  "vit-mini": ["for tests: width 8, 2 layers, 2 heads, patches of 2×2", { width: 8, layers: 2, heads: 2, patch: 2 }],
}; // prettier-ignore

/** Sizes of the architectures, by name. */
export const vitSizes: Readonly<Record<string, VitConfig | undefined>> = Object.fromEntries(
  Object.entries(described).map(([name, [, config]]) => [name, config]),
);

/** The architectures. */
export const presets: ImagePresets = Object.fromEntries(
  Object.entries(described).map(([name, [summary, config]]) => [name, vitDefinition(summary, config)]),
);
