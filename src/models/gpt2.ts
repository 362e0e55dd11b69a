/** GPT-2: a decoder-only transformer with pre-norm blocks, learnt positions and a tied output. */
import { ParameterSet } from "../nn/parameter-set.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { add } from "../ops/add.ts";
import { causalAttention } from "../ops/attention.ts";
import { dropout } from "../ops/dropout.ts";
import { embedding } from "../ops/embedding.ts";
import { gelu } from "../ops/gelu.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import type { LayerPrecision } from "../ops/operand.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { recomputed } from "../tensor/recompute.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import type { LanguageModel, LanguageModelConfig, LanguageModelDefinition } from "./model.ts";

interface Affine {
  readonly weight: Parameter;
  readonly bias: Parameter;
}

interface Block {
  readonly norm1: Affine;
  readonly qkv: Affine;
  readonly project: Affine;
  readonly norm2: Affine;
  readonly widen: Affine;
  readonly narrow: Affine;
}

/**
 * Parameter names follow GPT-2's: `wte.weight`, `wpe.weight`, `h.0.attn.c_attn.weight`, … Weights are [out, in].
 *
 * Initial deviations: `fan-in` is 1/√in (1/√width for token embeddings, half that for positions), `gpt2` is 0.02 for
 * all. Projections into the residual stream are divided by √(2 · layers) in both.
 */
class Gpt2 implements LanguageModel {
  readonly parameters: readonly Parameter[];
  readonly context: number;
  readonly vocabulary: number;
  readonly layers: readonly string[];
  private readonly device: Device;
  private readonly heads: number;
  private readonly tokens: Parameter;
  private readonly positions: Parameter;
  private readonly blocks: readonly Block[];
  private readonly norm: Affine;
  private readonly recompute: boolean;

  constructor(device: Device, config: LanguageModelConfig, seed: number) {
    const { vocabulary, context, layers, width, heads } = config;
    const set = new ParameterSet(device, seed);
    this.device = device;
    this.context = context;
    this.vocabulary = vocabulary;
    this.heads = heads;
    this.recompute = config.recompute ?? false;
    const deviation = config.init === "gpt2" ? 0.02 : width ** -0.5;
    const positionDeviation = config.init === "gpt2" ? 0.02 : deviation / 2;
    this.tokens = set.add("wte.weight", [vocabulary, width], "embedding", { deviation });
    this.positions = set.add("wpe.weight", [context, width], "embedding", { deviation: positionDeviation });
    this.blocks = Array.from({ length: layers }, (_, i) => makeBlock(set, `h.${i}`, config));
    this.norm = makeNorm(set, "ln_f", width);
    this.parameters = set.list;
    const inBlocks = this.blocks.flatMap((_, i) => blockLayers.map((layer) => `h.${i}.${layer}`));
    this.layers = [...inBlocks, "ln_f", "head"];
  }

  logits(ids: Tensor, batch: number, pass: Pass): Tensor {
    const { tape } = this.device;
    const length = sizeOf(ids.shape) / batch;
    const places = Int32Array.from({ length: batch * length }, (_, i) => i % length);
    const position = embedding(this.positions.tensor, this.device.tensor(places, [batch * length]));
    const token = embedding(this.tokens.tensor, ids);
    const sum = add(token, position); // [B T, C]
    tape.discard(token, position);
    let x = dropout(sum, pass.dropout, pass.key("embedding dropout"));
    if (x !== sum) tape.discard(sum);
    this.blocks.forEach((block, i) => {
      const run = (input: Tensor): Tensor => this.block(input, block, batch, pass, `h.${i}`);
      x = this.recompute ? recomputed(x, tensorsOf(block), run) : run(x);
    });
    const normal = normalise(x, this.norm, precisionAt(pass, "ln_f"));
    tape.discard(x);
    const logits = linear(normal, this.tokens.tensor, null, precisionAt(pass, "head")); // [B T, vocabulary]
    tape.discard(normal);
    return logits;
  }

  /** x is discarded: the block is the last to read it. */
  private block(x: Tensor, block: Block, batch: number, pass: Pass, name: string): Tensor {
    const { tape } = this.device;
    const at = (layer: string): LayerPrecision => precisionAt(pass, `${name}.${layer}`);
    /** Applies an operation that is the last to read its input. */
    const last = (input: Tensor, operation: (input: Tensor) => Tensor): Tensor => {
      const result = operation(input);
      if (result !== input) tape.discard(input);
      return result;
    };
    const apply = (input: Tensor, { weight, bias }: Affine, layer: string): Tensor =>
      last(input, () => linear(input, weight.tensor, bias.tensor, at(layer)));
    const drop = (input: Tensor, place: string): Tensor =>
      last(input, () => dropout(input, pass.dropout, pass.key(`${name}.${place} dropout`)));
    const join = (stream: Tensor, input: Tensor): Tensor =>
      last(stream, () => last(input, () => add(stream, input)));

    const a = normalise(x, block.norm1, at("ln_1"));
    const qkv = apply(a, block.qkv, "attn.c_attn");
    const heads = last(qkv, () => causalAttention(qkv, batch, this.heads, at("attn")));
    const attended = join(x, drop(apply(heads, block.project, "attn.c_proj"), "attn"));
    const b = normalise(attended, block.norm2, at("ln_2"));
    const wide = last(apply(b, block.widen, "mlp.c_fc"), (input) => gelu(input, at("mlp.gelu"))); // [B T, 4 C]
    return join(attended, drop(apply(wide, block.narrow, "mlp.c_proj"), "mlp"));
  }
}

const normalise = (x: Tensor, { weight, bias }: Affine, precision: LayerPrecision): Tensor =>
  layerNorm(x, weight.tensor, bias.tensor, undefined, precision);

const tensorsOf = (block: Block): Tensor[] =>
  Object.values<Affine>({ ...block }).flatMap(({ weight, bias }) => [weight.tensor, bias.tensor]);

/** What asks for a precision in one block. */
const blockLayers = [
  "ln_1",
  "attn.c_attn",
  "attn",
  "attn.c_proj",
  "ln_2",
  "mlp.c_fc",
  "mlp.gelu",
  "mlp.c_proj",
] as const;

function makeNorm(set: ParameterSet, name: string, width: number): Affine {
  return {
    weight: set.add(`${name}.weight`, [width], "norm", { value: 1 }),
    bias: set.add(`${name}.bias`, [width], "bias", { value: 0 }),
  };
}

function makeBlock(set: ParameterSet, name: string, config: LanguageModelConfig): Block {
  const { width, layers, init } = config;
  const affine = (layer: string, out: number, from: number, share = 1): Affine => ({
    weight: set.add(`${name}.${layer}.weight`, [out, from], "matrix", {
      deviation: (init === "gpt2" ? 0.02 : from ** -0.5) * share,
    }),
    bias: set.add(`${name}.${layer}.bias`, [out], "bias", { value: 0 }),
  });
  const residual = (2 * layers) ** -0.5;
  return {
    norm1: makeNorm(set, `${name}.ln_1`, width),
    qkv: affine("attn.c_attn", 3 * width, width),
    project: affine("attn.c_proj", width, width, residual),
    norm2: makeNorm(set, `${name}.ln_2`, width),
    widen: affine("mlp.c_fc", 4 * width, width),
    narrow: affine("mlp.c_proj", width, 4 * width, residual),
  };
}

/**
 * Builds a GPT-2 with fresh float32 parameters.
 *
 * @throws RangeError when a size is not a positive integer or the width does not divide by the heads.
 * @source Radford et al. 2019, Language models are unsupervised multitask learners.
 */
export function gpt2(device: Device, config: LanguageModelConfig, seed: number): LanguageModel {
  for (const key of ["vocabulary", "context", "layers", "width", "heads"] as const) {
    const value = config[key];
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`logrung: gpt2's ${key} is ${value}, wants a positive integer`);
    }
  }
  if (config.width % config.heads !== 0) {
    throw new RangeError(
      `logrung: gpt2's width ${config.width} does not divide by its ${config.heads} heads`,
    );
  }
  return new Gpt2(device, config, seed);
}

export const model: LanguageModelDefinition = {
  name: "gpt2",
  summary: "decoder-only transformer: pre-norm blocks, learnt positions, tied output",
  build: gpt2,
};
