/** The layers of a model on a device, applied by name. */
import { batchNorm } from "../ops/batch-norm.ts";
import type { ConvOptions } from "../ops/conv-geometry.ts";
import { conv2d, type Images } from "../ops/conv2d.ts";
import { embedding } from "../ops/embedding.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { spectralNorm } from "../ops/spectral-norm.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { LayerSpec } from "./layer-specs.ts";
import { ParameterSet } from "./parameter-set.ts";
import { precisionAt, type Pass } from "./pass.ts";

interface Layer {
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly buffers: Readonly<Record<string, Tensor>>;
}

/**
 * Applies an operation that is the last to read its input, whose memory then goes, or becomes the result's, unless a vjp
 * reads it.
 *
 * @param input  not a view of what something else still reads.
 * @param operation  a single one: where it is made of several, the first to read the input is not to be the last.
 */
export function last(input: Tensor, operation: (input: Tensor) => Tensor): Tensor {
  const result = input.device.tape.giving(input, () => operation(input));
  if (result.storage !== input.storage) input.device.tape.discard(input);
  return result;
}

/** {@link last} on the pixels of images. */
export const lastPixels = ({ pixels, shape }: Images, operation: (pixels: Tensor) => Tensor): Images => ({
  pixels: last(pixels, operation),
  shape,
});

/** Parameters and buffers made from a description. Build once; each call takes the pass that it belongs to. */
export class Layers {
  readonly parameters: readonly Parameter[];
  /** Tensors that are no parameters but belong to the model's state, by name. */
  readonly buffers: Readonly<Record<string, Tensor>>;
  /** As policies name them. */
  readonly names: readonly string[];
  private readonly byName = new Map<string, Layer>();

  constructor(device: Device, specs: readonly LayerSpec[], seed: number) {
    const set = new ParameterSet(device, seed);
    const buffers: Record<string, Tensor> = {};
    for (const spec of specs) {
      const made = mapValues(spec.buffers, ({ name, shape, initial }) => set.buffer(name, shape, initial));
      for (const [role, { name }] of Object.entries(spec.buffers)) buffers[name] = made[role];
      const parameters = mapValues(spec.parameters, ({ name, shape, kind, initial }) =>
        set.add(name, shape, kind, initial),
      );
      this.byName.set(spec.name, { parameters, buffers: made });
    }
    this.parameters = set.list;
    this.buffers = buffers;
    this.names = specs.map(({ name }) => name);
  }

  /** A parameter's tensor as it is now. @throws Error for a layer or role that the description lacks. */
  tensor(layer: string, role: string): Tensor {
    const tensor = this.find(layer, role);
    if (tensor === null) throw new Error(`logrung: the layer "${layer}" has no ${role}`);
    return tensor;
  }

  /** The parameters of all layers whose names begin with this one and a dot. */
  tensorsUnder(name: string): Tensor[] {
    const below = [...this.byName].filter(([layer]) => layer.startsWith(`${name}.`));
    return below.flatMap(([, { parameters }]) => Object.values(parameters).map(({ tensor }) => tensor));
  }

  private find(layer: string, role: string): Tensor | null {
    return this.layer(layer).parameters[role]?.tensor ?? null;
  }

  /** The weight as the layer's operation reads it: divided by its spectral norm where the layer has one. */
  private weight(name: string, { training }: Pass): Tensor {
    const { u } = this.layer(name).buffers;
    const weight = this.tensor(name, "weight");
    return u ? spectralNorm(weight, u, { training }) : weight;
  }

  private layer(name: string): Layer {
    const layer = this.byName.get(name);
    if (!layer) throw new Error(`logrung: the model has no layer "${name}"`);
    return layer;
  }

  /** @param x  [rows, in] @returns [rows, out] */
  linear(x: Tensor, layer: string, pass: Pass): Tensor {
    pass.watch?.(layer, x);
    return linear(x, this.weight(layer, pass), this.find(layer, "bias"), precisionAt(pass, layer));
  }

  convolution(x: Images, layer: string, options: ConvOptions, pass: Pass): Images {
    const weight = this.weight(layer, pass);
    return conv2d(x, weight, this.find(layer, "bias"), options, precisionAt(pass, layer));
  }

  /** Rows of the layer's table. @param ids  [n], int32 @returns [n, width] */
  embedding(ids: Tensor, layer: string, pass: Pass): Tensor {
    return embedding(this.weight(layer, pass), ids);
  }

  /**
   * By the batch in training, by the running statistics otherwise.
   *
   * @param momentum  share of a new batch in the running statistics; default 0.1.
   */
  batchNorm(x: Tensor, layer: string, pass: Pass, momentum = 0.1): Tensor {
    const { parameters, buffers } = this.layer(layer);
    const affine = parameters.weight
      ? { gain: parameters.weight.tensor, bias: parameters.bias.tensor }
      : null;
    const running = { mean: buffers.mean, variance: buffers.variance };
    return batchNorm(x, affine, running, { training: pass.training, momentum }, precisionAt(pass, layer));
  }

  layerNorm(x: Tensor, layer: string, pass: Pass, epsilon: number): Tensor {
    const [gain, bias] = [this.tensor(layer, "weight"), this.tensor(layer, "bias")];
    return layerNorm(x, gain, bias, epsilon, precisionAt(pass, layer));
  }
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
