/** GPT-2 as Hugging Face publishes it. */
import { model as gpt2 } from "./gpt2.ts";
import {
  type Correspondence,
  correspondences,
  expectCopy,
  expectFixed,
  type FixedSettings,
  type HuggingFaceCheckpoint,
  readWeights,
  sizeIn,
  usualSettings,
  type Weights,
  writeWeights,
} from "./huggingface.ts";
import type { LanguageModelConfig } from "./model.ts";

/** A GPT-2 whose weights are not on a device: [out, in] as ours, by our names. */
export interface Gpt2Weights {
  readonly config: LanguageModelConfig;
  readonly weights: Weights;
}

/** Of the four linear layers of a block: Hugging Face's Conv1D keeps them as [in, out]. */
const isConv1d = (name: string): boolean => /^h\.\d+\.(attn|mlp)\.c_\w+\.weight$/.test(name);

/** Causal masks that older files carry. */
const isMask = (name: string): boolean => /^h\.\d+\.attn\.(masked_)?bias$/.test(name);

const fixed: FixedSettings = {
  model_type: ["gpt2"],
  activation_function: ["gelu_new", "gelu_pytorch_tanh"],
  layer_norm_epsilon: [1e-5],
  scale_attn_weights: [true],
  scale_attn_by_inverse_layer_idx: [false],
  tie_word_embeddings: [true],
  add_cross_attention: [false],
};

const published = (config: LanguageModelConfig): Correspondence[] =>
  correspondences(gpt2.layers(config), (name, shape) => {
    if (!isConv1d(name)) return { published: [{ name, shape }] };
    const [rows, columns] = shape;
    const order = (i: number): number => (i % columns) * rows + Math.floor(i / columns);
    return { published: [{ name, shape: [columns, rows] }], order };
  });

/**
 * Reads the published layout. Names may begin with `transformer.`; `lm_head.weight`, where it is there, must be the table of symbols.
 *
 * @throws HuggingFaceError naming the key or the tensor that does not fit.
 */
export function readHuggingFaceGpt2({ config: given, tensors }: HuggingFaceCheckpoint): Gpt2Weights {
  const config = configOf(given);
  const found = new Map([...tensors].map(([name, tensor]) => [name.replace(/^transformer\./, ""), tensor]));
  const passedOver = (name: string): boolean => isMask(name) || name === "lm_head.weight";
  const weights = readWeights("GPT-2", published(config), found, passedOver);
  expectCopy(found, "lm_head.weight", "wte.weight");
  return { config, weights };
}

function configOf(given: HuggingFaceCheckpoint["config"]): LanguageModelConfig {
  expectFixed(given, fixed);
  const width = sizeIn(given, "n_embd");
  return {
    vocabulary: sizeIn(given, "vocab_size"),
    context: sizeIn(given, "n_positions"),
    layers: sizeIn(given, "n_layer"),
    width,
    heads: sizeIn(given, "n_head"),
    hidden: (given.n_inner ?? null) === null ? 4 * width : sizeIn(given, "n_inner"),
    init: "gpt2",
  };
}

/**
 * The published layout, in float32, with the names that `GPT2LMHeadModel` saves.
 *
 * @throws HuggingFaceError when a weight is missing or has another size.
 */
export const writeHuggingFaceGpt2 = ({ config, weights }: Gpt2Weights): HuggingFaceCheckpoint => ({
  config: writtenConfig(config),
  tensors: writeWeights(published(config), weights, (name) => `transformer.${name}`),
});

/** The number of GPT-2's `<|endoftext|>`. */
const endOfTextSymbol = 50_256;

function writtenConfig({
  vocabulary,
  context,
  layers,
  width,
  heads,
  hidden = 4 * width,
}: LanguageModelConfig) {
  const end =
    vocabulary === endOfTextSymbol + 1
      ? { bos_token_id: endOfTextSymbol, eos_token_id: endOfTextSymbol }
      : { bos_token_id: null, eos_token_id: null };
  return {
    architectures: ["GPT2LMHeadModel"],
    ...usualSettings(fixed),
    vocab_size: vocabulary,
    n_positions: context,
    n_ctx: context,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_inner: hidden === 4 * width ? null : hidden,
    initializer_range: 0.02,
    ...end,
    torch_dtype: "float32",
  };
}
