/** BERT as Hugging Face publishes it: `BertForMaskedLM`, `BertForSequenceClassification` and `BertModel`. */
import { encoder } from "./bert.ts";
import type { EncoderConfig, EncoderHead } from "./encoder.ts";
import {
  attentionThirds,
  classNames,
  classSettings,
  type Correspondence,
  correspondences,
  expectCopy,
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

/** A BERT whose weights are not on a device. */
export interface BertWeights {
  readonly config: EncoderConfig;
  readonly head: EncoderHead;
  /** Names of a text's classes; left out, they have none. */
  readonly labels?: readonly string[];
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

function publishedAs(name: string, shape: readonly number[]): PublishedTensor[] {
  const [, layer, role] = /^(.*\.attention\.self)\.in_proj\.(\w+)$/.exec(name) ?? [];
  return layer === undefined ? [{ name, shape }] : attentionThirds(layer, role, shape);
}

/** Older files call a norm's gain γ and its bias β. */
const usualName = (name: string): string =>
  name
    .replace(/^bert\./, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");

/** Numbers of places, the head of next sentences, and second copies of the output's weight and bias. */
const neverNeeded = /^embeddings\.position_ids$|^cls\.seq_relationship\.|^cls\.predictions\.decoder\./;

const headTensors = /^(cls|classifier|qa_outputs)\./;
const pooler = "pooler.dense.";

/** A checkpoint's tensors by the names of `BertModel`. */
const byUsualName = (tensors: HuggingFaceCheckpoint["tensors"]): HuggingFaceCheckpoint["tensors"] =>
  new Map([...tensors].map(([name, tensor]) => [usualName(name), tensor]));

/**
 * The sizes and the head of the published layout: that of hidden symbols where there is one, else that of a text's classes, else the
 * pooler.
 *
 * @throws HuggingFaceError naming the key that does not fit.
 */
export const huggingFaceBertShape = ({
  config,
  tensors,
}: HuggingFaceCheckpoint): Pick<BertWeights, "config" | "head"> => ({
  config: configOf(config),
  head: headOf(config, byUsualName(tensors)),
});

/**
 * Reads the published layout, with the head that {@link huggingFaceBertShape} finds; that of hidden symbols passes over a pooler.
 *
 * @param options.headless  passes over the head: what is left is the encoder, and the pooler where there is one. For a head of one's
 *   own. Default false.
 * @throws HuggingFaceError naming the key or the tensor that does not fit.
 */
export function readHuggingFaceBert(
  { config: given, tensors }: HuggingFaceCheckpoint,
  { headless = false }: { readonly headless?: boolean } = {},
): BertWeights {
  const config = configOf(given);
  const found = byUsualName(tensors);
  const head = headless ? "pooler" : headOf(given, found);
  const hasPooler = found.has(`${pooler}weight`) || !headless;
  const isPassedOver = (name: string): boolean =>
    neverNeeded.test(name) ||
    (headless && headTensors.test(name)) ||
    (head === "masked" && name.startsWith(pooler));
  const wanted = published(config, head).filter(({ name }) => hasPooler || !name.startsWith(pooler));
  const weights = readWeights("BERT", wanted, found, isPassedOver);
  if (head === "masked") {
    expectCopy(found, "cls.predictions.decoder.weight", "embeddings.word_embeddings.weight");
    expectCopy(found, "cls.predictions.decoder.bias", "cls.predictions.bias");
  }
  const labels = typeof head === "object" ? { labels: classNames(given, head.classes) } : {};
  return { config, head, ...labels, weights };
}

function headOf(
  config: HuggingFaceCheckpoint["config"],
  found: HuggingFaceCheckpoint["tensors"],
): EncoderHead {
  if (found.has("cls.predictions.bias")) return "masked";
  const classes = found.get("classifier.weight")?.shape[0];
  if (classes === undefined) return "pooler";
  expectFixed(config, { problem_type: ["single_label_classification"] });
  const named = classNames(config, classes).length;
  if (classes < 2 || named !== classes)
    throw new HuggingFaceError(`"classifier.weight" tells ${classes} classes, wants ${Math.max(2, named)}`);
  return { classes };
}

function configOf(given: HuggingFaceCheckpoint["config"]): EncoderConfig {
  expectFixed(given, fixed);
  expectMultiple(given, "hidden_size", "num_attention_heads");
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

/**
 * The published layout, in float32, with the names that the class of its head saves.
 *
 * @throws HuggingFaceError when a weight is missing or has another size.
 */
export function writeHuggingFaceBert({ config, head, labels, weights }: BertWeights): HuggingFaceCheckpoint {
  const named = (name: string): string =>
    head === "pooler" || /^(cls|classifier)\./.test(name) ? name : `bert.${name}`;
  return {
    config: { ...writtenConfig(config, head), ...classesOf(head, labels) },
    tensors: writeWeights(published(config, head), weights, named),
  };
}

function writtenConfig(
  { vocabulary, context, layers, width, heads, hidden = encoder.hidden(width) }: EncoderConfig,
  head: EncoderHead,
) {
  return {
    architectures: [architectures[typeof head === "object" ? "classes" : head]],
    ...usualSettings(fixed),
    vocab_size: vocabulary,
    max_position_embeddings: context,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: hidden,
    initializer_range: 0.02,
    torch_dtype: "float32",
  };
}

/** @throws HuggingFaceError where classes have too few or too many names. */
function classesOf(head: EncoderHead, labels: readonly string[] | undefined): Record<string, unknown> {
  if (typeof head !== "object") return {};
  if (labels === undefined) return { num_labels: head.classes };
  if (labels.length === head.classes) return classSettings(labels);
  throw new HuggingFaceError(`${labels.length} names for ${head.classes} classes`);
}
