/** One block of a transformer: self-attention and two linear layers, each added to what comes in. */
import { add } from "../ops/add.ts";
import { attentionProbabilities } from "../ops/attention-probabilities.ts";
import { selfAttention } from "../ops/attention.ts";
import { dropout } from "../ops/dropout.ts";
import type { LayerPrecision } from "../ops/operand.ts";
import { recomputed } from "../tensor/recompute.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { layerNormLayer, linearLayer, plainLayer, type Initialise, type LayerSpec } from "./layer-specs.ts";
import { last, type Layers } from "./layers.ts";
import { precisionAt, type Pass } from "./pass.ts";

/** Names of a block's layers after the block's own. */
export interface BlockLayers {
  readonly norm1: string;
  /** Into query, key and value, side by side. */
  readonly into: string;
  readonly attention: string;
  /** Out of attention. */
  readonly out: string;
  readonly norm2: string;
  readonly up: string;
  readonly activation: string;
  readonly down: string;
}

/** Places of dropout in a block, by what their random keys are called; those left out drop nothing. */
export interface BlockDropout {
  /** Of what attention adds. */
  readonly attention: string;
  /** Of attention's probabilities. */
  readonly probabilities?: string;
  /** Between the two linear layers. */
  readonly hidden?: string;
  /** Of what the two linear layers add. */
  readonly output: string;
}

/** What an architecture fixes of its blocks. */
export interface BlockStyle {
  readonly layers: BlockLayers;
  readonly dropout: BlockDropout;
  /** `before`: x + f(norm(x)); `after`: norm(x + f(x)). */
  readonly norm: "before" | "after";
  /** ε of the layer norms. */
  readonly epsilon: number;
  readonly activation: (x: Tensor, precision: LayerPrecision) => Tensor;
  /** Whether a token sees those before it and itself only, or all of its sequence. */
  readonly causal: boolean;
}

/** What a block is given besides its input. */
export interface BlockCall {
  readonly stack: Layers;
  readonly heads: number;
  /** Number of sequences. */
  readonly batch: number;
  /** Tokens of each sequence, the rest of its rows being padding that no token sees. Default all rows. */
  readonly lengths?: ArrayLike<number> | null;
  readonly pass: Pass;
}

/** How the four linear layers of a block start. */
export interface BlockInitials {
  readonly into: Initialise;
  readonly out: Initialise;
  readonly up: Initialise;
  readonly down: Initialise;
}

/** The layers of a block in the order of its forward pass. */
export function blockSpecs(
  name: string,
  { layers, norm }: Pick<BlockStyle, "layers" | "norm">,
  { width, hidden }: { readonly width: number; readonly hidden: number },
  initial: BlockInitials,
): LayerSpec[] {
  const at = (layer: string): string => `${name}.${layer}`;
  const [norm1, norm2] = [layers.norm1, layers.norm2].map((layer) => [layerNormLayer(at(layer), width)]);
  const attention = [
    linearLayer(at(layers.into), [width, 3 * width], initial.into),
    plainLayer(at(layers.attention)),
    linearLayer(at(layers.out), [width, width], initial.out),
  ];
  const feedForward = [
    linearLayer(at(layers.up), [width, hidden], initial.up),
    plainLayer(at(layers.activation)),
    linearLayer(at(layers.down), [hidden, width], initial.down),
  ];
  const parts = norm === "before"
    ? [norm1, attention, norm2, feedForward]
    : [attention, norm1, feedForward, norm2];
  return parts.flat();
} // prettier-ignore

/**
 *   before    x ← x + attention(norm₁(x)),   x ← x + W₂ f(W₁ norm₂(x))
 *   after     x ← norm₁(x + attention(x)),   x ← norm₂(x + W₂ f(W₁ x))
 *
 * @param x     [batch · length, width]; discarded: the block is the last to read it.
 * @param name  of the block, before its layers' names.
 * @source Vaswani et al. 2017, Attention is all you need (after); Radford et al. 2019 (before).
 */
export function transformerBlock(x: Tensor, name: string, style: BlockStyle, call: BlockCall): Tensor {
  const { layers, dropout: drops, epsilon, norm } = style;
  const { stack, pass } = call;
  const at = (layer: string): string => `${name}.${layer}`;
  const normal = (input: Tensor, layer: string): Tensor => stack.layerNorm(input, at(layer), pass, epsilon);
  const linear = (input: Tensor, layer: string): Tensor => stack.linear(input, at(layer), pass);
  /** The stream is read again where it is joined; its norm is not. */
  const project = (stream: Tensor, layer: string, by: string): Tensor =>
    norm === "before" ? last(normal(stream, by), (input) => linear(input, layer)) : linear(stream, layer);
  const drop = (input: Tensor, place: string | undefined): Tensor =>
    place === undefined
      ? input
      : last(input, (from) => dropout(from, pass.dropout, pass.key(`${at(place)} dropout`)));
  const join = (stream: Tensor, added: Tensor, by: string): Tensor => {
    const sum = add(stream, added);
    stream.device.tape.discard(stream, added);
    return norm === "before" ? sum : last(sum, (input) => normal(input, by));
  };
  const qkv = project(x, layers.into, layers.norm1);
  const heads = last(qkv, (input) => attended(input, at, style, call));
  const out = last(heads, (input) => linear(input, layers.out));
  const a = join(x, drop(out, drops.attention), layers.norm1);
  const wide = last(project(a, layers.up, layers.norm2), (input) =>
    style.activation(input, precisionAt(pass, at(layers.activation))),
  );
  const narrow = last(drop(wide, drops.hidden), (input) => linear(input, layers.down));
  return join(a, drop(narrow, drops.output), layers.norm2);
}

function attended(
  qkv: Tensor,
  at: (place: string) => string,
  { layers, dropout: { probabilities }, causal }: BlockStyle,
  { heads, batch, lengths = null, pass }: BlockCall,
): Tensor {
  const dropped =
    probabilities === undefined
      ? {}
      : { dropout: pass.dropout, key: pass.key(`${at(probabilities)} dropout`) };
  const layer = at(layers.attention);
  const precision = precisionAt(pass, layer);
  pass.watchAttention?.(layer, attentionProbabilities(qkv, batch, heads, causal, precision, lengths));
  return selfAttention(qkv, batch, heads, causal, precision, { ...dropped, lengths });
}

/**
 * Blocks one after the other.
 *
 * @param x      [batch · length, width]; discarded.
 * @param names  of the blocks.
 * @param recompute  keeps only the input of each block for the backward pass and computes the block again there. Default false.
 */
export function transformerBlocks(
  x: Tensor,
  names: readonly string[],
  style: BlockStyle,
  call: BlockCall,
  recompute = false,
): Tensor {
  return names.reduce((stream, name) => {
    const run = (input: Tensor): Tensor => transformerBlock(input, name, style, call);
    return recompute ? recomputed(stream, call.stack.tensorsUnder(name), run) : run(stream);
  }, x);
}

/** A layer whose parameters are named by it with an underscore, as PyTorch's attention has those of its projection. */
export function underscored(layer: LayerSpec): LayerSpec {
  const renamed = Object.entries(layer.parameters).map(([role, parameter]) => [
    role,
    { ...parameter, name: `${layer.name}_${role}` },
  ]);
  return { ...layer, parameters: Object.fromEntries(renamed) };
}
