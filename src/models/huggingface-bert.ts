/** BERT as Hugging Face publishes it: `BertForMaskedLM`, `BertForSequenceClassification` and `BertModel`. */
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { encoder } from "./bert.ts";
import type { EncoderConfig, EncoderHead } from "./encoder.ts";
import {
  type Correspondence,
  correspondences,
  expectFixed,
  type FixedSettings,
  type HuggingFaceCheckpoint,
  HuggingFaceError,
  type PublishedTensor,
  readWeights,
  sizeIn,
  tensorValues,
  usualSettings,
  type Weights,
  writeWeights,
} from "./huggingface.ts";

/** A BERT whose weights are not on a device. */
export interface BertWeights {
  readonly config: EncoderConfig;
  readonly head: EncoderHead;
  readonly weights: Weights;
}

const fixed: FixedSettings = {
  model_type: ["bert"],
  hidden_act: ["gelu"],
  layer_norm_eps: [1e-12],
  position_embedding_type: ["absolute"],
  type_vocab_size: [2],
  tie_word_embeddings: [true],
  is_decoder: [false],
  add_cross_attention: [false],
};

const architectures = {
  pooler: "BertModel",
  masked: "BertForMaskedLM",
  classes: "BertForSequenceClassification",
} as const;

/** Theirs without the `bert.` that names of a model with a head begin with. */
const published = (config: EncoderConfig, head: EncoderHead): Correspondence[] =>
  correspondences(encoder.layers(config, head), (name, shape) => ({ published: publishedAs(name, shape) }));

/** Of the projection into attention query, key and value apart. */
function publishedAs(name: string, shape: readonly number[]): PublishedTensor[] {
  const [, layer, role] = /^(.*\.attention\.self)\.in_proj\.(\w+)$/.exec(name) ?? [];
  if (layer === undefined) return [{ name, shape }];
  const third = [shape[0] / 3, ...shape.slice(1)];
  return ["query", "key", "value"].map((part) => ({ name: `${layer}.${part}.${role}`, shape: third }));
}

/** Older files call a norm's gain γ and its bias β. */
const usualName = (name: string): string =>
  name
    .replace(/^bert\./, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");

/** Numbers of places, the head of next sentences, and second copies of the output's weight and bias. */
const passedOver = /^embeddings\.position_ids$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\./;

/**
 * Reads the published layout. The head is that of hidden symbols where there is one (a pooler is passed over then), else that of a text's
 * classes, else the pooler.
 *
 * @throws HuggingFaceError naming the key or the tensor that does not fit.
 */
export function readHuggingFaceBert({ config: given, tensors }: HuggingFaceCheckpoint): BertWeights {
  const config = configOf(given);
  const found = new Map([...tensors].map(([name, tensor]) => [usualName(name), tensor]));
  const head = headOf(found);
  const isPassedOver = (name: string): boolean =>
    passedOver.test(name) || (head === "masked" && name.startsWith("pooler.dense."));
  const weights = readWeights("BERT", published(config, head), found, isPassedOver);
  if (head === "masked") expectTied(found);
  return { config, head, weights };
}

function headOf(found: ReadonlyMap<string, SafetensorsTensor>): EncoderHead {
  if (found.has("cls.predictions.bias")) return "masked";
  const classifier = found.get("classifier.weight");
  return classifier ? { classes: classifier.shape[0] } : "pooler";
}

function configOf(given: HuggingFaceCheckpoint["config"]): EncoderConfig {
  expectFixed(given, fixed);
  return {
    vocabulary: sizeIn(given, "vocab_size"),
    context: sizeIn(given, "max_position_embeddings"),
    layers: sizeIn(given, "num_hidden_layers"),
    width: sizeIn(given, "hidden_size"),
    heads: sizeIn(given, "num_attention_heads"),
    hidden: sizeIn(given, "intermediate_size"),
    init: "bert",
  };
}

/** The output's own copies, where there are such, must be the table of symbols and the bias. */
function expectTied(found: ReadonlyMap<string, SafetensorsTensor>): void {
  const pairs = [
    ["cls.predictions.decoder.weight", "embeddings.word_embeddings.weight"],
    ["cls.predictions.decoder.bias", "cls.predictions.bias"],
  ];
  for (const [copy, original] of pairs) {
    const [one, other] = [found.get(copy), found.get(original)];
    if (!one || !other) continue;
    const [a, b] = [tensorValues(copy, one), tensorValues(original, other)];
    if (a.length !== b.length || a.some((value, i) => value !== b[i]))
      throw new HuggingFaceError(`"${copy}" is not "${original}": the output is tied here`);
  }
}

/**
 * The published layout, in float32, with the names that the class of its head saves.
 *
 * @throws HuggingFaceError when a weight is missing or has another size.
 */
export function writeHuggingFaceBert({ config, head, weights }: BertWeights): HuggingFaceCheckpoint {
  const named = (name: string): string =>
    head === "pooler" || /^(cls|classifier)\./.test(name) ? name : `bert.${name}`;
  return {
    config: writtenConfig(config, head),
    tensors: writeWeights(published(config, head), weights, named),
  };
}

function writtenConfig(
  { vocabulary, context, layers, width, heads, hidden = encoder.hidden(width) }: EncoderConfig,
  head: EncoderHead,
) {
  const hasClasses = typeof head === "object";
  return {
    architectures: [architectures[hasClasses ? "classes" : head]],
    ...usualSettings(fixed),
    vocab_size: vocabulary,
    max_position_embeddings: context,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: hidden,
    initializer_range: 0.02,
    ...(hasClasses ? { num_labels: head.classes } : {}),
    torch_dtype: "float32",
  };
}
