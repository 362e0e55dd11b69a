/** Vision transformers as Hugging Face publishes them: `ViTForImageClassification` and `ViTModel`. */
import {
  attentionThirds,
  classNames,
  classSettings,
  type Correspondence,
  correspondences,
  expectFixed,
  expectMultiple,
  type FixedSettings,
  type HuggingFaceCheckpoint,
  HuggingFaceError,
  type PublishedTensor,
  readWeights,
  sizeIn,
  usualSettings,
  type Weights,
  writeWeights,
} from "./huggingface.ts";
import type { ImageTask } from "./image-model.ts";
import { type VitConfig, vitDefinition } from "./vit.ts";

/** A vision transformer whose weights are not on a device. */
export interface VitWeights {
  readonly config: VitConfig;
  /** Channels, height and width of its images. */
  readonly images: Omit<ImageTask, "classes">;
  /** Names of the classes; null for a model without a head, whose weights then have none. */
  readonly classes: readonly string[] | null;
  readonly weights: Weights;
}

const fixed: FixedSettings = {
  model_type: ["vit"],
  hidden_act: ["gelu"],
  qkv_bias: [true],
};

/** What our names begin with, and what theirs do, outside the blocks. */
const outside: readonly (readonly [string, string])[] = [
  ["class_token", "embeddings.cls_token"],
  ["encoder.pos_embedding", "embeddings.position_embeddings"],
  ["conv_proj.", "embeddings.patch_embeddings.projection."],
  ["encoder.ln.", "layernorm."],
  ["heads.head.", "classifier."],
];

/** The same of the layers of a block. */
const inBlock: readonly (readonly [string, string])[] = [
  ["ln_1.", "layernorm_before."],
  ["self_attention.out_proj.", "attention.output.dense."],
  ["ln_2.", "layernorm_after."],
  ["mlp.0.", "intermediate.dense."],
  ["mlp.3.", "output.dense."],
];

/** What no image is told by: a pooler, and the token of masked patches. */
const isPassedOver = (name: string): boolean =>
  /^pooler\.dense\.(weight|bias)$|^embeddings\.mask_token$/.test(name);

/** Theirs without the `vit.` that most names of a model with a head begin with. */
function published(
  config: VitConfig,
  images: VitWeights["images"],
  classes: number | null,
): Correspondence[] {
  const layers = vitDefinition("", config).layers({ ...images, classes: classes ?? 1 });
  const used = layers.filter(({ name }) => classes !== null || name !== "heads.head");
  return correspondences(used, (name, shape) => publishedAs(name, shape, config, images));
}

function publishedAs(
  name: string,
  shape: readonly number[],
  { patch }: VitConfig,
  { channels }: VitWeights["images"],
): Omit<Correspondence, "name" | "shape"> {
  const [, block, inner] = /^encoder\.layers\.encoder_layer_(\d+)\.(.*)$/.exec(name) ?? [];
  if (block !== undefined) return { published: blockTensors(`encoder.layer.${block}`, inner, shape) };
  const renamed = rename(name, outside);
  if (name === "conv_proj.weight")
    return {
      published: [{ name: renamed, shape: [shape[0], channels, patch, patch] }],
      order: channelsFirst(channels, patch * patch),
    };
  // Tables are published as of one image.
  const isTable = renamed.startsWith("embeddings.") && !name.startsWith("conv_proj.");
  return { published: [{ name: renamed, shape: isTable ? [1, ...shape] : shape }] };
}

/** Where element i of rows of [places, channels] lies in rows of [channels, places]. */
function channelsFirst(channels: number, places: number): (i: number) => number {
  return (i) => {
    const inRow = i % (channels * places);
    return i - inRow + (inRow % channels) * places + Math.floor(inRow / channels);
  };
}

/** Of the projection into attention query, key and value apart. */
function blockTensors(block: string, name: string, shape: readonly number[]): PublishedTensor[] {
  const [, role] = /^self_attention\.in_proj_(\w+)$/.exec(name) ?? [];
  if (role === undefined) return [{ name: `${block}.${rename(name, inBlock)}`, shape }];
  return attentionThirds(`${block}.attention.attention`, role, shape);
}

function rename(name: string, names: readonly (readonly [string, string])[]): string {
  const found = names.find(([ours]) => name.startsWith(ours));
  if (!found) throw new Error(`logrung: vit's parameter "${name}" has no published name`);
  return found[1] + name.slice(found[0].length);
}

/**
 * Reads the published layout: `ViTForImageClassification`, or `ViTModel`, which has no head. A pooler is passed over.
 *
 * @throws HuggingFaceError naming the key or the tensor that does not fit.
 */
export function readHuggingFaceVit({ config: given, tensors }: HuggingFaceCheckpoint): VitWeights {
  expectFixed(given, fixed);
  const found = new Map([...tensors].map(([name, tensor]) => [name.replace(/^vit\./, ""), tensor]));
  const size = sizeIn({ image_size: 224, ...given }, "image_size");
  const images = {
    channels: sizeIn({ num_channels: 3, ...given }, "num_channels"),
    height: size,
    width: size,
  };
  const config = configOf(given, size);
  const hasHead = found.has("classifier.weight") || found.has("classifier.bias");
  // Two classes, as Hugging Face has it where nothing is said.
  const classes = hasHead ? classNames(given, 2) : null;
  const all = published(config, images, classes?.length ?? null);
  return { config, images, classes, weights: readWeights("ViT", all, found, isPassedOver) };
}

function configOf(given: HuggingFaceCheckpoint["config"], size: number): VitConfig {
  const config = {
    patch: sizeIn({ patch_size: 16, ...given }, "patch_size"),
    width: sizeIn(given, "hidden_size"),
    layers: sizeIn(given, "num_hidden_layers"),
    heads: sizeIn(given, "num_attention_heads"),
    hidden: sizeIn(given, "intermediate_size"),
    epsilon: epsilonIn(given),
  };
  expectMultiple(given, "hidden_size", "num_attention_heads");
  expectMultiple({ image_size: size, patch_size: config.patch }, "image_size", "patch_size");
  return config;
}

function epsilonIn({ layer_norm_eps: epsilon = 1e-12 }: HuggingFaceCheckpoint["config"]): number {
  if (typeof epsilon === "number" && epsilon > 0) return epsilon;
  throw new HuggingFaceError(`config.json: "layer_norm_eps" is ${JSON.stringify(epsilon)}, wants a number > 0`);
} // prettier-ignore

/**
 * The published layout, in float32, with the names that `ViTForImageClassification` saves, or `ViTModel` where there is no head.
 *
 * @throws HuggingFaceError when a weight is missing or has another size, or images are not square.
 */
export function writeHuggingFaceVit({ config, images, classes, weights }: VitWeights): HuggingFaceCheckpoint {
  const { height, width } = images;
  if (height !== width)
    throw new HuggingFaceError(`images of ${height}×${width}: the published layout has square ones`);
  const all = published(config, images, classes?.length ?? null);
  const named = (name: string): string =>
    classes === null || name.startsWith("classifier.") ? name : `vit.${name}`;
  return { config: writtenConfig(config, images, classes), tensors: writeWeights(all, weights, named) };
}

function writtenConfig(
  { patch, width, layers, heads, hidden = 4 * width, epsilon = 1e-6 }: VitConfig,
  { channels, height }: VitWeights["images"],
  classes: VitWeights["classes"],
) {
  return {
    architectures: [classes ? "ViTForImageClassification" : "ViTModel"],
    ...usualSettings(fixed),
    image_size: height,
    patch_size: patch,
    num_channels: channels,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: hidden,
    layer_norm_eps: epsilon,
    initializer_range: 0.02,
    ...(classes ? classSettings(classes) : {}),
    torch_dtype: "float32",
  };
}
