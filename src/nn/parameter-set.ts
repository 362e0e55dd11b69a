/** The parameters of a model under construction: names, initial values, tensors on a device. */
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";
import { FLOAT32, sizeOf } from "../tensor/tensor.ts";

/** How a parameter starts: drawn from N(0, deviation²), or one value everywhere. */
export type Initial = { readonly deviation: number } | { readonly value: number };

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
    device.backend.write(tensor.storage.slice(), this.initialValues(name, sizeOf(shape), initial));
    const parameter: Parameter = { name, kind, tensor };
    this.list.push(parameter);
    return parameter;
  }

  private initialValues(name: string, size: number, initial: Initial): Float32Array {
    if ("value" in initial) return new Float32Array(size).fill(initial.value);
    const key = streamKey(this.seed, name, 0, "initial value");
    return Float32Array.from({ length: size }, (_, i) => normal(key, i) * initial.deviation);
  }
}
