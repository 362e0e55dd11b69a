/** Layers before they exist: which parameters they have and how these start. */
import type { ParameterKind } from "../tensor/parameter.ts";
import { sizeOf } from "../tensor/tensor.ts";
import type { Initial, ParameterSpec } from "./parameter-set.ts";

/** A float32 tensor that is kept with a model but not trained. */
export interface BufferSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initial;
}

/** A layer: what a policy's pattern names, with its parameters and buffers by what they are for. */
export interface LayerSpec {
  readonly name: string;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  readonly buffers: Readonly<Record<string, BufferSpec>>;
}

/** A layer without parameters of its own: an activation, attention. */
export const plainLayer = (name: string): LayerSpec => ({ name, parameters: {}, buffers: {} });

/**
 * Initial values of a weight and a bias.
 *
 * @param fanIn   inputs of one output.
 * @param fanOut  outputs of one input, window places counted.
 */
export type Initialise = (
  fanIn: number,
  fanOut: number,
) => { readonly weight: Initial; readonly bias: Initial };

/**
 * PyTorch's for linear layers and convolutions: both uniform in ±1/√fanIn (what kaiming-uniform with a = √5 is).
 *
 * @source torch.nn.Linear.reset_parameters, torch.nn.Conv2d.reset_parameters.
 */
export const pytorchInitial: Initialise = (fanIn) => ({
  weight: { bound: fanIn ** -0.5 },
  bias: { bound: fanIn ** -0.5 },
});

/** N(0, 2 / fanIn), biases 0. @source He et al. 2015, Delving deep into rectifiers. */
export const heInitial: Initialise = (fanIn) => ({
  weight: { deviation: Math.sqrt(2 / fanIn) },
  bias: { value: 0 },
});

/** N(0, 2 / fanOut), biases 0: torchvision's of residual networks, kaiming-normal over what a weight feeds. */
export const heFanOutInitial: Initialise = (_, fanOut) => ({
  weight: { deviation: Math.sqrt(2 / fanOut) },
  bias: { value: 0 },
});

/**
 * Orthogonal matrices, biases from N(0, 0.01²): of the Madam paper's GAN, since zeros do not move under multiplicative rules.
 *
 * @source github.com/jxbz/madam, pytorch/cGAN.
 */
export const orthogonalInitial: Initialise = () => ({
  weight: { orthogonal: 1 },
  bias: { deviation: 0.01 },
});

const parameter = (
  name: string,
  shape: readonly number[],
  kind: ParameterKind,
  initial: Initial,
): ParameterSpec => ({ name, shape, kind, initial });

/** A table whose rows are looked up by symbol or place; weight [entries, width]. */
export const embeddingLayer = (
  name: string,
  [entries, width]: readonly [number, number],
  initial: Initial,
): LayerSpec => ({
  name,
  parameters: { weight: parameter(`${name}.weight`, [entries, width], "embedding", initial) },
  buffers: {},
});

/** y = x wᵀ + b; weight [to, from]. */
export function linearLayer(
  name: string,
  [from, to]: readonly [number, number],
  initialise: Initialise = pytorchInitial,
): LayerSpec {
  const { weight, bias } = initialise(from, to);
  const parameters = {
    weight: parameter(`${name}.weight`, [to, from], "matrix", weight),
    bias: parameter(`${name}.bias`, [to], "bias", bias),
  };
  return { name, parameters, buffers: {} };
}

/** A convolution; weight [to, window · window · from], window places first, as `conv2d` takes it. */
export function convolutionLayer(
  name: string,
  [from, to]: readonly [number, number],
  window: number,
  options: { readonly bias: boolean; readonly initialise?: Initialise },
): LayerSpec {
  const { bias: hasBias, initialise = pytorchInitial } = options;
  const places = window * window;
  const { weight, bias } = initialise(places * from, places * to);
  const parameters = {
    weight: parameter(`${name}.weight`, [to, places * from], "matrix", weight),
    ...(hasBias ? { bias: parameter(`${name}.bias`, [to], "bias", bias) } : {}),
  };
  return { name, parameters, buffers: {} };
}

/** Gain 1 and bias 0. */
function affine(name: string, width: number): Record<string, ParameterSpec> {
  return {
    weight: parameter(`${name}.weight`, [width], "norm", { value: 1 }),
    bias: parameter(`${name}.bias`, [width], "bias", { value: 0 }),
  };
}

/** Running mean 0 and variance 1; gain and bias where `hasAffine`. */
export function batchNormLayer(name: string, channels: number, hasAffine: boolean): LayerSpec {
  const buffer = (suffix: string, value: number) => ({
    name: `${name}.${suffix}`,
    shape: [channels],
    initial: { value },
  });
  const buffers = { mean: buffer("running_mean", 0), variance: buffer("running_var", 1) };
  return { name, parameters: hasAffine ? affine(name, channels) : {}, buffers };
}

/** Gain and bias of a layer normalisation. */
export const layerNormLayer = (name: string, width: number): LayerSpec => ({
  name,
  parameters: affine(name, width),
  buffers: {},
});

/**
 * The layer with its weight divided by its largest singular value wherever it is read: see `spectralNorm`, whose state
 * is the buffer `weight_u`.
 */
export function spectralLayer(layer: LayerSpec): LayerSpec {
  const { weight } = layer.parameters;
  const u = { name: `${weight.name}_u`, shape: [weight.shape[0]], initial: { deviation: 1 } };
  return { ...layer, buffers: { ...layer.buffers, u } };
}

/** A trained number that a branch of the model is multiplied by. */
export const gateLayer = (name: string, value: number): LayerSpec => ({
  name,
  parameters: { gate: parameter(`${name}.gamma`, [1], "norm", { value }) },
  buffers: {},
});

/** Numbers that training changes. Nothing is allocated. */
export function countParameters(layers: readonly LayerSpec[]): number {
  const specs = layers.flatMap(({ parameters }) => Object.values(parameters));
  return specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
