/** GPT-2: a decoder-only transformer with pre-norm blocks, learnt positions and a tied output. */
import {
  embeddingLayer,
  layerNormLayer,
  plainLayer,
  type Initialise,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import { outputLogits, type OutputLayer } from "../nn/output-layer.ts";
import type { Pass } from "../nn/pass.ts";
import { blockSpecs, transformerBlocks, type BlockStyle } from "../nn/transformer-block.ts";
import { add } from "../ops/add.ts";
import { dropout } from "../ops/dropout.ts";
import { embedding } from "../ops/embedding.ts";
import { gelu } from "../ops/gelu.ts";
import type { Device } from "../tensor/device.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import {
  checkSizes,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelDefinition,
} from "./model.ts";

/** ε of every layer norm; `layer_norm_epsilon` of GPT-2's configuration. */
const EPSILON = 1e-5;

/** Tables of symbols and of places: no layers that a policy names. */
const tables = ["wte", "wpe"] as const;

const style: BlockStyle = {
  layers: {
    norm1: "ln_1",
    into: "attn.c_attn",
    attention: "attn",
    out: "attn.c_proj",
    norm2: "ln_2",
    up: "mlp.c_fc",
    activation: "mlp.gelu",
    down: "mlp.c_proj",
  },
  dropout: { attention: "attn", output: "mlp" },
  norm: "before",
  epsilon: EPSILON,
  activation: gelu,
  causal: true,
};

const blockNames = ({ layers }: LanguageModelConfig): string[] =>
  Array.from({ length: layers }, (_, i) => `h.${i}`);

const hiddenOf = ({ hidden, width }: LanguageModelConfig): number => hidden ?? 4 * width;

/**
 * Layers in the order of the forward pass, named as GPT-2's: `wte`, `wpe`, `h.0.attn.c_attn`, … Weights are [out, in].
 *
 * Initial deviations: `fan-in` is 1/√in (1/√width for token embeddings, half that for positions), `gpt2` is 0.02 for
 * all. Projections into the residual stream are divided by √(2 · layers) in both. Biases start at 0.
 */
function gpt2Layers(config: LanguageModelConfig): LayerSpec[] {
  checkSizes(model, config);
  const { vocabulary, context, width, init } = config;
  const deviation = init === "gpt2" ? 0.02 : width ** -0.5;
  const positionDeviation = init === "gpt2" ? 0.02 : deviation / 2;
  const blocks = blockNames(config).map((name) => blockLayers(name, config));
  return [
    embeddingLayer("wte", [vocabulary, width], { deviation }),
    embeddingLayer("wpe", [context, width], { deviation: positionDeviation }),
    ...blocks.flat(),
    layerNormLayer("ln_f", width),
    plainLayer("head"),
  ];
}

function blockLayers(name: string, config: LanguageModelConfig): LayerSpec[] {
  const { width, layers, init } = config;
  const initial =
    (share: number): Initialise =>
    (fanIn) => ({
      weight: { deviation: (init === "gpt2" ? 0.02 : fanIn ** -0.5) * share },
      bias: { value: 0 },
    });
  const residual = initial((2 * layers) ** -0.5);
  const initials = { into: initial(1), out: residual, up: initial(1), down: residual };
  return blockSpecs(name, style, { width, hidden: hiddenOf(config) }, initials);
}

class Gpt2 implements LanguageModel {
  readonly context: number;
  readonly vocabulary: number;
  readonly layers: readonly string[];
  private readonly device: Device;
  private readonly config: LanguageModelConfig;
  private readonly stack: Layers;

  constructor(device: Device, config: LanguageModelConfig, seed: number) {
    this.device = device;
    this.context = config.context;
    this.vocabulary = config.vocabulary;
    this.config = config;
    this.stack = new Layers(device, gpt2Layers(config), seed);
    this.layers = this.stack.names.slice(tables.length);
  }

  get parameters() {
    return this.stack.parameters;
  }

  get output(): OutputLayer {
    return { name: "head", weight: this.stack.tensor("wte", "weight"), bias: null };
  }

  logits(ids: Tensor, batch: number, pass: Pass): Tensor {
    return outputLogits(this.states(ids, batch, pass), this.output, pass);
  }

  states(ids: Tensor, batch: number, pass: Pass): Tensor {
    const { stack, device } = this;
    const { tape } = device;
    const length = sizeOf(ids.shape) / batch;
    const places = Int32Array.from({ length: batch * length }, (_, i) => i % length);
    const position = embedding(stack.tensor("wpe", "weight"), device.tensor(places, [batch * length]));
    const token = embedding(stack.tensor("wte", "weight"), ids);
    const sum = add(token, position); // [B T, C]
    tape.discard(token, position);
    const x = last(sum, (input) => dropout(input, pass.dropout, pass.key("embedding dropout")));
    const { heads, recompute } = this.config;
    const call = { stack, heads, batch, pass };
    const y = transformerBlocks(x, blockNames(this.config), style, call, recompute);
    return last(y, (input) => stack.layerNorm(input, "ln_f", pass, EPSILON));
  }
}

/**
 * Builds a GPT-2 with fresh float32 parameters.
 *
 * @throws RangeError when a size is not a positive integer or the width does not divide by the heads.
 * @source Radford et al. 2019, Language models are unsupervised multitask learners.
 */
export const gpt2 = (device: Device, config: LanguageModelConfig, seed: number): LanguageModel =>
  new Gpt2(device, config, seed);

export const model: LanguageModelDefinition = {
  name: "gpt2",
  summary: "decoder-only transformer: pre-norm blocks, learnt positions, tied output",
  inits: ["fan-in", "gpt2"],
  hidden: (width) => 4 * width,
  layers: gpt2Layers,
  build: gpt2,
};
