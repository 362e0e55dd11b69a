/** The parameters of a model under construction: names, initial values, tensors on a device. */
import { fillNormal } from "../random/normal.ts";
import { orthogonal } from "../random/orthogonal.ts";
import { philoxBlock } from "../random/philox.ts";
import { streamKey, type Key } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";
import { fillTensor } from "../tensor/pieces.ts";
import { FLOAT32, matrixShape, type Tensor } from "../tensor/tensor.ts";

/**
 * How a parameter starts: drawn from N(0, deviation²), uniformly from ±bound, as a matrix whose rows or columns are orthogonal
 * and of a given length, or one value everywhere.
 */
export type Initial =
  | { readonly deviation: number }
  | { readonly bound: number }
  | { readonly orthogonal: number }
  | { readonly value: number };

/** A parameter before it exists. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: ParameterKind;
  readonly initial: Initial;
}

/** Makes parameters; each draws from its own stream of the seed, so adding one changes no other. */
export class ParameterSet {
  readonly list: Parameter[] = [];
  private readonly device: Device;
  private readonly seed: number;

  constructor(device: Device, seed: number) {
    this.device = device;
    this.seed = seed;
  }

  /**
   * A new float32 parameter, kept outside any step.
   *
   * @throws Error when the name is taken.
   */
  add(name: string, shape: readonly number[], kind: ParameterKind, initial: Initial): Parameter {
    if (this.list.some((p) => p.name === name))
      throw new Error(`logrung: a parameter "${name}" exists already`);
    const { device } = this;
    const tensor = device.keep(device.empty(shape, FLOAT32, true));
    fillTensor(tensor, this.initialValues(name, shape, initial));
    const parameter: Parameter = { name, kind, tensor };
    this.list.push(parameter);
    return parameter;
  }

  /** A float32 tensor that is kept with the model but not trained: running statistics. */
  buffer(name: string, shape: readonly number[], initial: Initial): Tensor {
    const tensor = this.device.keep(this.device.empty(shape));
    fillTensor(tensor, this.initialValues(name, shape, initial));
    return tensor;
  }

  /** Fills a piece of a tensor whose first element is number `from`. */
  private initialValues(
    name: string,
    shape: readonly number[],
    initial: Initial,
  ): (piece: Float32Array, from: number) => void {
    if ("value" in initial) return (piece) => piece.fill(initial.value);
    const key = streamKey(this.seed, name, 0, "initial value");
    if ("bound" in initial) return (piece, from) => fillUniform(piece, from, key, initial.bound);
    if ("orthogonal" in initial) {
      const [rows, columns] = matrixShape(shape);
      const whole = orthogonal(key, rows, columns);
      return (piece, from) =>
        piece.set(whole.subarray(from, from + piece.length).map((x) => x * initial.orthogonal));
    }
    return (piece, from) => fillNormal(piece, from, key, initial.deviation);
  }
}

/** Numbers from ±bound, four from each block of random bits. @param from  a multiple of 4. */
function fillUniform(values: Float32Array, from: number, key: Key, bound: number): void {
  const words = new Uint32Array(4);
  for (let i = 0; i < values.length; i += 4) {
    philoxBlock((from + i) / 4, key, words);
    for (let j = 0; j < Math.min(4, values.length - i); j++)
      values[i + j] = ((words[j] + 0.5) / 2 ** 31 - 1) * bound;
  }
}
