/** One parameter under an optimiser: its state in memory. */
import { format as formatOf } from "../formats/index.ts";
import type { Device } from "../tensor/device.ts";
import { packedBits } from "../tensor/packing.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { readValues, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { OptionError } from "./options.ts";
import type { HeldField } from "./fields.ts";
import { isScaled, largestOf, ladderHeld, type Held } from "./held.ts";
import { packedAs } from "./store-weight.ts";
import { beforeOf, type Rule } from "./rule.ts";
import { multiplies, startOf } from "./start.ts";
import type { Zeros } from "./zeros.ts";

export interface Slot {
  readonly parameter: Parameter;
  /** σ*; where the weight is codes of a scaled format, what the codes are multiples of. */
  readonly scale: Tensor;
  /** Every field, by name. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** The numbers of the tensor as they were before the step: `<number>.before`. */
  readonly before: Readonly<Record<string, Tensor>>;
  /** Elements that are zero and stay so under a multiplicative rule. */
  readonly immovable: number;
}

/** Prepares a parameter: initial values, the weight into its format, every field. */
export async function createSlot(
  parameter: Parameter,
  rule: Rule,
  zeros: Zeros,
  seed: number,
): Promise<Slot> {
  const { tensor } = parameter;
  const { device } = tensor;
  const { precision } = rule;
  const read = await readValues(tensor);
  const { values, rms, top } = startOf(rule, parameter.name, read, zeros, seed);
  if (values !== read) device.backend.write(tensor.storage.slice(), Float32Array.from(values));
  const scale = placeWeight(parameter, rule, top);
  const state: Record<string, Tensor> = {};
  const before: Record<string, Tensor> = {};
  for (const field of rule.fields) {
    const made = createField(device, field, {
      shape: tensor.shape,
      values,
      rms,
      top,
      weight: precision.weight,
      scale,
    });
    state[field.name] = made;
    if (field.field.role === "number") before[beforeOf(field.name)] = scalarTensor(device, 0);
  }
  const zero = ladderHeld(precision.weight)?.hasZero !== false;
  const immovable = multiplies(rule) && zero ? zerosAmong(values) : 0;
  return { parameter, scale, state, before, immovable };
}

function zerosAmong(values: Float32Array | Float64Array): number {
  let count = 0;
  for (const value of values) if (value === 0) count++;
  return count;
}

/** Moves the weight into its format. @returns σ*, or what the codes are multiples of. */
function placeWeight(parameter: Parameter, { optimizer, precision: { weight } }: Rule, top: number): Tensor {
  const { tensor } = parameter;
  const { device } = tensor;
  const scale = scalarTensor(device, isScaled(weight) ? top / largestOf(weight) : top);
  if (optimizer.materialise) {
    device.free(tensor);
    return scale;
  }
  if (weight) parameter.tensor = packedAs(tensor, weight, isScaled(weight) ? scale : unitOf(device));
  return scale;
}

interface FieldFacts {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  readonly rms: number;
  readonly top: number;
  readonly weight: Held;
  readonly scale: Tensor;
}

function createField(device: Device, { name, field, held }: HeldField, facts: FieldFacts): Tensor {
  const { shape, values, rms, top, weight, scale } = facts;
  switch (field.role) {
    case "number": {
      const first = field.init({ rms, scale: top });
      if (name !== "scale") return scalarTensor(device, first);
      device.backend.write(
        scale.storage.slice(),
        Float32Array.of(isScaled(weight) ? first / largestOf(weight) : first),
      );
      return scale;
    }
    case "part": {
      const tensor = device.keep(device.tensor(field.init(values), shape));
      return weight ? packedAs(tensor, weight, isScaled(weight) ? scale : unitOf(device)) : tensor;
    }
    default:
      return zeroTensor(device, shape, held);
  }
}

const scalarTensor = (device: Device, value: number): Tensor =>
  device.keep(device.tensor(new Float32Array([value]), [1]));

/** @throws OptionError for a format that has no zero: moments start there. */
function zeroTensor(device: Device, shape: readonly number[], held: Held): Tensor {
  if (!held) return device.keep(device.tensor(new Float32Array(sizeOf(shape)), shape));
  const format = formatOf(held.format);
  const code = format.info.zeroCode;
  if (code === null) {
    throw new OptionError(
      `logrung: ${format.name} has no zero, from which moments start: hold them in another format`,
    );
  }
  const few = packedBits(format.bits) < 8;
  const encoding = { kind: "coded", format, scale: unitOf(device), scaleAxis: null, packed: few } as const;
  const codes = format.bits <= 8 ? new Uint8Array(sizeOf(shape)) : new Uint16Array(sizeOf(shape));
  return device.keep(device.tensor(codes.fill(code), shape, encoding));
}

const units = new WeakMap<Device, Tensor>();

/** One, shared: the scale of codes that have none, or whose kernel knows it. */
function unitOf(device: Device): Tensor {
  const unit = units.get(device) ?? scalarTensor(device, 1);
  units.set(device, unit);
  return unit;
}
