/** A multi-layer perceptron. */
import { ParameterSet } from "../nn/parameter-set.ts";
import { precisionAt, type Pass } from "../nn/pass.ts";
import { linear } from "../ops/linear.ts";
import { relu } from "../ops/relu.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface Mlp {
  readonly parameters: readonly Parameter[];
  /** @param x [rows, widths[0]]  @returns logits, [rows, last width] */
  logits(x: Tensor, pass: Pass): Tensor;
}

/**
 * relu(… relu(x W₀ᵀ + b₀) …) Wₙᵀ + bₙ. Weights start at N(0, 2 / in), biases at 0.
 *
 * @param widths  of input, hidden layers and output; at least two.
 * @throws RangeError when there are fewer.
 * @source He et al. 2015, Delving deep into rectifiers (the initial deviation).
 */
export function mlp(device: Device, widths: readonly number[], seed: number): Mlp {
  if (widths.length < 2) throw new RangeError(`logrung: mlp of ${widths.length} widths, wants at least 2`);
  const set = new ParameterSet(device, seed);
  const layers = widths.slice(1).map((out, i) => ({
    name: `layers.${i}`,
    weight: set.add(`layers.${i}.weight`, [out, widths[i]], "matrix", {
      deviation: Math.sqrt(2 / widths[i]),
    }),
    bias: set.add(`layers.${i}.bias`, [out], "bias", { value: 0 }),
  }));
  const logits = (x: Tensor, pass: Pass): Tensor =>
    layers.reduce((input, { name, weight, bias }, i) => {
      const out = linear(input, weight.tensor, bias.tensor, precisionAt(pass, name));
      return i < layers.length - 1 ? relu(out) : out;
    }, x);
  return { parameters: set.list, logits };
}
