/** The transformer that PyTorch's word-level example trains: post-norm encoder layers under a causal mask. */
import {
  embeddingLayer,
  linearLayer,
  pytorchInitial,
  type Initialise,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import { outputLogits, type OutputLayer } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import { blockSpecs, transformerBlocks, underscored, type BlockStyle } from "../nn/transformer-block.ts";
import { add } from "../ops/add.ts";
import { dropout } from "../ops/dropout.ts";
import { embedding } from "../ops/embedding.ts";
import { relu } from "../ops/relu.ts";
import { scaled } from "../ops/scaled.ts";
import type { Device } from "../tensor/device.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import {
  checkSizes,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelDefinition,
} from "./model.ts";

/** PyTorch's ε of a layer norm. */
const EPSILON = 1e-5;

/** The example's: symbols and the decoder start uniform in ±0.1. */
const BOUND = 0.1;

const hiddenOf = ({ hidden, width }: LanguageModelConfig): number => hidden ?? width;

/** Uniform in ±√(6 / (in + out)) over the three projections together; biases 0. */
const intoAttention: Initialise = (fanIn, fanOut) => ({
  weight: { bound: Math.sqrt(6 / (fanIn + fanOut)) },
  bias: { value: 0 },
});

/** A linear layer's usual weights; bias 0. */
const outOfAttention: Initialise = (fanIn) => ({ weight: { bound: fanIn ** -0.5 }, bias: { value: 0 } });

/** Uniform in ±0.1; bias 0. */
const ofDecoder: Initialise = () => ({ weight: { bound: BOUND }, bias: { value: 0 } });

const style: BlockStyle = {
  layers: {
    into: "self_attn.in_proj",
    attention: "self_attn",
    out: "self_attn.out_proj",
    norm1: "norm1",
    up: "linear1",
    activation: "relu",
    down: "linear2",
    norm2: "norm2",
  },
  dropout: {
    attention: "attention",
    probabilities: "probabilities",
    hidden: "relu",
    output: "feed-forward",
  },
  norm: "after",
  epsilon: EPSILON,
  activation: relu,
  causal: true,
};

const initials = { into: intoAttention, out: outOfAttention, up: pytorchInitial, down: pytorchInitial };

const blockNames = ({ layers }: LanguageModelConfig): string[] =>
  Array.from({ length: layers }, (_, i) => `transformer_encoder.layers.${i}`);

/** Layers in the order of the forward pass, with PyTorch's names of parameters. */
function transformerLayers(config: LanguageModelConfig): LayerSpec[] {
  checkSizes(model, config);
  const { vocabulary, width } = config;
  const sizes = { width, hidden: hiddenOf(config) };
  const blocks = blockNames(config).flatMap((name) => blockSpecs(name, style, sizes, initials));
  return [
    embeddingLayer("encoder", [vocabulary, width], { bound: BOUND }),
    ...blocks.map((layer) => (layer.name.endsWith(style.layers.into) ? underscored(layer) : layer)),
    linearLayer("decoder", [width, vocabulary], ofDecoder),
  ];
}

/**
 *   p[t, 2i] = sin(t / 10000^(2i / width)),   p[t, 2i + 1] = cos of the same
 *
 * @returns [length, width]
 * @source Vaswani et al. 2017, Attention is all you need, section 3.5.
 */
export function sinusoidalPositions(length: number, width: number): Float32Array {
  return Float32Array.from({ length: length * width }, (_, i) => {
    const [place, column] = [Math.floor(i / width), i % width];
    const angle = place / 10_000 ** ((column - (column % 2)) / width);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

class TransformerLm implements LanguageModel {
  readonly context: number;
  readonly vocabulary: number;
  readonly layers: readonly string[];
  private readonly device: Device;
  private readonly config: LanguageModelConfig;
  private readonly stack: Layers;
  private readonly positions: Tensor;

  constructor(device: Device, config: LanguageModelConfig, seed: number) {
    const { context, width } = config;
    this.device = device;
    this.context = context;
    this.vocabulary = config.vocabulary;
    this.config = config;
    this.stack = new Layers(device, transformerLayers(config), seed);
    this.layers = this.stack.names.slice(1); // the table of symbols is no layer of a policy's
    this.positions = device.keep(device.tensor(sinusoidalPositions(context, width), [context, width]));
  }

  get parameters() {
    return this.stack.parameters;
  }

  get output(): OutputLayer {
    const { stack } = this;
    const name = "decoder";
    return { name, weight: stack.tensor(name, "weight"), bias: stack.tensor(name, "bias") };
  }

  logits(ids: Tensor, batch: number, pass: Pass): Tensor {
    return outputLogits(this.states(ids, batch, pass), this.output, pass);
  }

  states(ids: Tensor, batch: number, pass: Pass): Tensor {
    const { device, stack, config } = this;
    const length = sizeOf(ids.shape) / batch;
    const places = Int32Array.from({ length: batch * length }, (_, i) => i % length);
    const position = embedding(this.positions, device.tensor(places, [batch * length]));
    const token = embedding(stack.tensor("encoder", "weight"), ids);
    const wide = last(token, (input) => scaled(input, Math.sqrt(config.width)));
    const sum = add(wide, position); // [B T, C]
    device.tape.discard(wide, position);
    const x = last(sum, (input) => dropout(input, pass.dropout, pass.key("embedding dropout")));
    const call = { stack, heads: config.heads, batch, pass };
    return transformerBlocks(x, blockNames(config), style, call, config.recompute);
  }
}

/**
 * Builds the model with fresh float32 parameters.
 *
 *   x = √width · E[ids] + positions;   per layer  x ← norm₁(x + attention(x)),  x ← norm₂(x + W₂ relu(W₁ x));   logits = D x + d
 *
 * Dropout is where PyTorch has it: on the sum of symbols and positions, on what attention and feed-forward add, on relu's output, and on
 * attention's probabilities.
 *
 * The Madam paper's shape is 2 layers, width 200, hidden 200, 2 heads: 13,828,478 parameters with WikiText-2's 33,278 words.
 *
 * @throws RangeError when a size is not a positive integer or the width does not divide by the heads.
 * @source pytorch/examples, word_language_model, model.py, and torch.nn.TransformerEncoderLayer's initial values.
 */
export const transformerLm = (device: Device, config: LanguageModelConfig, seed: number): LanguageModel =>
  new TransformerLm(device, config, seed);

export const model: LanguageModelDefinition = {
  name: "transformer-lm",
  summary: "post-norm transformer of the Madam paper: sinusoidal positions, ReLU, an output of its own",
  inits: ["pytorch"],
  hidden: (width) => width,
  layers: transformerLayers,
  build: transformerLm,
};
