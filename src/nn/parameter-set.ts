/** The parameters of a model under construction: names, initial values, tensors on a device. */
import { normal } from "../random/normal.ts";
import { orthogonal } from "../random/orthogonal.ts";
import { philox4x32 } from "../random/philox.ts";
import { streamKey, type Key } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";
import { FLOAT32, matrixShape, sizeOf, type Tensor } from "../tensor/tensor.ts";

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
    device.backend.write(tensor.storage.slice(), this.initialValues(name, shape, initial));
    const parameter: Parameter = { name, kind, tensor };
    this.list.push(parameter);
    return parameter;
  }

  /** A float32 tensor that is kept with the model but not trained: running statistics. */
  buffer(name: string, shape: readonly number[], initial: Initial): Tensor {
    const { device } = this;
    return device.keep(device.tensor(this.initialValues(name, shape, initial), shape));
  }

  private initialValues(name: string, shape: readonly number[], initial: Initial): Float32Array {
    const size = sizeOf(shape);
    if ("value" in initial) return new Float32Array(size).fill(initial.value);
    const key = streamKey(this.seed, name, 0, "initial value");
    if ("bound" in initial) return uniformValues(key, size, initial.bound);
    if ("orthogonal" in initial) {
      const [rows, columns] = matrixShape(shape);
      return Float32Array.from(orthogonal(key, rows, columns), (x) => x * initial.orthogonal);
    }
    return Float32Array.from({ length: size }, (_, i) => normal(key, i) * initial.deviation);
  }
}

/** Numbers from ±bound, four from each block of random bits. */
function uniformValues(key: Key, size: number, bound: number): Float32Array {
  const values = new Float32Array(size);
  for (let i = 0; i < size; i += 4) {
    const words = philox4x32([i / 4, 0, 0, 0], key);
    for (let j = 0; j < Math.min(4, size - i); j++) values[i + j] = ((words[j] + 0.5) / 2 ** 31 - 1) * bound;
  }
  return values;
}
