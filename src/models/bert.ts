/** BERT: a transformer whose symbols see those on both sides, with post-norm blocks and learnt positions. */
import {
  embeddingLayer,
  layerNormLayer,
  linearLayer,
  plainLayer,
  type Initialise,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import { last, Layers } from "../nn/layers.ts";
import { outputLogits, type OutputLayer } from "../nn/output-layer.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { blockSpecs, transformerBlocks, type BlockStyle } from "../nn/transformer-block.ts";
import { add } from "../ops/add.ts";
import { dropout } from "../ops/dropout.ts";
import { embedding } from "../ops/embedding.ts";
import { exactGelu } from "../ops/exact-gelu.ts";
import { tanh } from "../ops/tanh.ts";
import type { Device } from "../tensor/device.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import type {
  EncoderConfig,
  EncoderDefinition,
  EncoderHead,
  MaskedModel,
  Sequences,
  TextClassifier,
} from "./encoder.ts";
import { checkCounts } from "./model.ts";

/** ε of every layer norm; `layer_norm_eps` of BERT's configuration. */
const EPSILON = 1e-12;

/** Kinds of text that a symbol can belong to: a first and a second. */
const TYPES = 2;

/** Tables of symbols, places and kinds of text: no layers that a policy names. */
const tables = ["word_embeddings", "position_embeddings", "token_type_embeddings"].map(
  (name) => `embeddings.${name}`,
);
const [words, positions, types] = tables;

const style: BlockStyle = {
  layers: {
    into: "attention.self.in_proj",
    attention: "attention.self",
    out: "attention.output.dense",
    norm1: "attention.output.LayerNorm",
    up: "intermediate.dense",
    activation: "intermediate.gelu",
    down: "output.dense",
    norm2: "output.LayerNorm",
  },
  dropout: { attention: "attention.output", probabilities: "attention.self", output: "output" },
  norm: "after",
  epsilon: EPSILON,
  activation: exactGelu,
  causal: false,
};

/** Biases start at 0. */
const initialOf =
  ({ init }: EncoderConfig): Initialise =>
  (fanIn) => ({
    weight: { deviation: init === "bert" ? 0.02 : fanIn ** -0.5 },
    bias: { value: 0 },
  });

const usualHidden = (width: number): number => 4 * width;

const blockNames = ({ layers }: EncoderConfig): string[] =>
  Array.from({ length: layers }, (_, i) => `encoder.layer.${i}`);

const transform = "cls.predictions.transform";
const decoder = "cls.predictions.decoder";

/**
 * Layers in the order of the forward pass, named as BERT's, query, key and value in one.
 *
 * Initial deviations: `bert` is 0.02 for all; `fan-in` is 1/√in (1/√width for symbols and places, half that for kinds of text), by
 * which narrow models hear of other symbols from the start.
 */
function bertLayers(config: EncoderConfig, head: EncoderHead): LayerSpec[] {
  checkCounts("bert", config);
  const { vocabulary, context, width, init, hidden = usualHidden(width) } = config;
  const table = (name: string, rows: number, share: number): LayerSpec =>
    embeddingLayer(name, [rows, width], { deviation: init === "bert" ? 0.02 : share * width ** -0.5 });
  const initial = initialOf(config);
  const initials = { into: initial, out: initial, up: initial, down: initial };
  return [
    table(words, vocabulary, 1),
    table(positions, context, 1),
    table(types, TYPES, 1 / 2),
    layerNormLayer("embeddings.LayerNorm", width),
    ...blockNames(config).flatMap((name) => blockSpecs(name, style, { width, hidden }, initials)),
    ...headLayers(config, head),
  ];
}

function headLayers(config: EncoderConfig, head: EncoderHead): LayerSpec[] {
  const { vocabulary, width } = config;
  const initial = initialOf(config);
  const square: [number, number] = [width, width];
  if (head === "masked") {
    const bias = { name: "cls.predictions.bias", shape: [vocabulary], kind: "bias", initial: { value: 0 } } as const;
    return [
      linearLayer(`${transform}.dense`, square, initial),
      plainLayer(`${transform}.gelu`),
      layerNormLayer(`${transform}.LayerNorm`, width),
      { name: decoder, parameters: { bias }, buffers: {} },
    ];
  }
  const pooler = linearLayer("pooler.dense", square, initial);
  return head === "pooler" ? [pooler] : [pooler, linearLayer("classifier", [width, head.classes], initial)];
} // prettier-ignore

/** The encoder with a head's layers. */
class Bert {
  readonly context: number;
  readonly vocabulary: number;
  readonly layers: readonly string[];
  readonly stack: Layers;
  readonly device: Device;
  private readonly config: EncoderConfig;

  constructor(device: Device, config: EncoderConfig, head: EncoderHead, seed: number) {
    this.device = device;
    this.config = config;
    this.context = config.context;
    this.vocabulary = config.vocabulary;
    this.stack = new Layers(device, bertLayers(config, head), seed);
    this.layers = this.stack.names.slice(tables.length);
  }

  get parameters() {
    return this.stack.parameters;
  }

  /** @returns [batch · length, width] */
  states(input: Sequences, pass: Pass): Tensor {
    const { stack, config } = this;
    const normal = last(this.embedded(input), (x) =>
      stack.layerNorm(x, "embeddings.LayerNorm", pass, EPSILON),
    );
    const x = last(normal, (from) => dropout(from, pass.dropout, pass.key("embedding dropout")));
    const { batch, lengths = null } = input;
    const call = { stack, heads: config.heads, batch, lengths, pass };
    return transformerBlocks(x, blockNames(config), style, call, config.recompute);
  }

  /** Symbols, places and kinds of text, added up. */
  private embedded({ ids, batch, types: kinds = null }: Sequences): Tensor {
    const { stack, device } = this;
    const rows = sizeOf(ids.shape);
    const length = rows / batch;
    const places = Int32Array.from({ length: rows }, (_, i) => i % length);
    const look = (table: string, at: Tensor): Tensor => embedding(stack.tensor(table, "weight"), at);
    const addTo = (a: Tensor, b: Tensor): Tensor => {
      const sum = add(a, b);
      device.tape.discard(a, b);
      return sum;
    };
    const placed = addTo(look(words, ids), look(positions, device.tensor(places, [rows])));
    return addTo(placed, look(types, kinds ?? device.tensor(new Int32Array(rows), [rows])));
  }

  /** tanh(W h + b) of each sequence's first symbol, [batch, width]. */
  pooled(input: Sequences, pass: Pass): Tensor {
    const { batch, ids } = input;
    const length = sizeOf(ids.shape) / batch;
    const firsts = Int32Array.from({ length: batch }, (_, i) => i * length);
    const first = last(this.states(input, pass), (x) => embedding(x, this.device.tensor(firsts, [batch])));
    const dense = last(first, (x) => this.stack.linear(x, "pooler.dense", pass));
    return last(dense, tanh);
  }
}

class MaskedBert extends Bert implements MaskedModel {
  constructor(device: Device, config: EncoderConfig, seed: number) {
    super(device, config, "masked", seed);
  }

  /** Its weight is the table of symbols. */
  get output(): OutputLayer {
    const { stack } = this;
    return { name: decoder, weight: stack.tensor(words, "weight"), bias: stack.tensor(decoder, "bias") };
  }

  logits(input: Sequences, places: Tensor, pass: Pass): Tensor {
    return outputLogits(this.statesAt(input, places, pass), this.output, pass);
  }

  statesAt(input: Sequences, places: Tensor, pass: Pass): Tensor {
    const { stack } = this;
    const asked = last(this.states(input, pass), (x) => embedding(x, places)); // [n, width]
    const dense = last(asked, (x) => stack.linear(x, `${transform}.dense`, pass));
    const active = last(dense, (x) => exactGelu(x, precisionAt(pass, `${transform}.gelu`)));
    return last(active, (x) => stack.layerNorm(x, `${transform}.LayerNorm`, pass, EPSILON));
  }
}

class BertClassifier extends Bert implements TextClassifier {
  readonly classes: number;

  constructor(device: Device, config: EncoderConfig, classes: number, seed: number) {
    super(device, config, { classes }, seed);
    this.classes = classes;
  }

  logits(input: Sequences, pass: Pass): Tensor {
    const dropped = last(this.pooled(input, pass), (x) =>
      dropout(x, pass.dropout, pass.key("pooled dropout")),
    );
    return last(dropped, (x) => this.stack.linear(x, "classifier", pass)); // [batch, classes]
  }
}

/**
 * Builds a BERT that tells hidden symbols, with fresh float32 parameters.
 *
 *   x = norm(E[ids] + P[place] + T[type]);   per layer  x ← norm(x + attention(x)),  x ← norm(x + W₂ gelu(W₁ x))
 *   logits = E norm(gelu(W x)) + b, at the places asked for
 *
 * Dropout is where BERT has it: after the embeddings' norm, on attention's probabilities, on what attention and the linear layers add.
 *
 * @throws RangeError when a size is not a positive integer or the width does not divide by the heads.
 * @source Devlin et al. 2019, BERT: pre-training of deep bidirectional transformers for language understanding.
 */
export const bert = (device: Device, config: EncoderConfig, seed: number): MaskedModel =>
  new MaskedBert(device, config, seed);

/**
 * Builds a BERT that tells a text's class: W tanh(W' x₀ + b') + b of the first symbol, with dropout between.
 *
 * @throws as {@link bert}, and RangeError for fewer than two classes.
 */
export function bertClassifier(
  device: Device,
  config: EncoderConfig,
  classes: number,
  seed: number,
): TextClassifier {
  if (!Number.isInteger(classes) || classes < 2)
    throw new RangeError(`logrung: bert with ${classes} classes, wants at least 2`);
  return new BertClassifier(device, config, classes, seed);
}

export const encoder: EncoderDefinition = {
  name: "bert",
  summary: "transformer that sees both sides: post-norm blocks, learnt positions, tied output",
  hidden: usualHidden,
  layers: bertLayers,
  masked: bert,
  classifier: bertClassifier,
};
