/** One parameter under an optimiser: its state in memory. */
import { format as formatOf } from "../formats/index.ts";
import type { Device } from "../tensor/device.ts";
import { packedBits } from "../tensor/packing.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { fillElements, mapTensor, visitTensor } from "../tensor/pieces.ts";
import { FLOAT32, type Encoding, type Tensor } from "../tensor/tensor.ts";
import { OptionError } from "./options.ts";
import type { HeldField } from "./fields.ts";
import { isScaled, largestOf, ladderHeld, type Held } from "./held.ts";
import { packedAs } from "./store-weight.ts";
import { beforeOf, type Rule } from "./rule.ts";
import { inTurn, multiplies, startOf, zerosRemedy } from "./start.ts";
import { factsOf, rootMeanSquare, type Change, type Facts, type Zeros } from "./zeros.ts";

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
  const { name, tensor } = parameter;
  const { device, shape } = tensor;
  const { weight } = rule.precision;
  const given = await measured(tensor, null);
  const remedy = zerosRemedy(rule, name, given, zeros, seed);
  const rms = rootMeanSquare(remedy ? await measured(tensor, remedy) : given);
  const { top, change: own } = startOf(rule, name, rms, seed);
  const change = inTurn(remedy, own);
  if (change) await mapTensor(tensor, tensor, change);
  const immovable = multiplies(rule) && ladderHeld(weight)?.hasZero !== false;
  const zero = immovable ? (change ? await measured(tensor, null) : given).zeros : 0;
  const scale = scalarTensor(device, isScaled(weight) ? top / largestOf(weight) : top);
  const facts = { tensor, shape, rms, top, weight, scale };
  const state: Record<string, Tensor> = {};
  const before: Record<string, Tensor> = {};
  for (const field of rule.fields) {
    state[field.name] = await createField(device, field, facts);
    if (field.field.role === "number") before[beforeOf(field.name)] = scalarTensor(device, 0);
  }
  placeWeight(parameter, rule, scale);
  return { parameter, scale, state, before, immovable: zero };
}

async function measured(tensor: Tensor, change: Change | null): Promise<Facts> {
  let facts = factsOf([]);
  await visitTensor(tensor, (piece) => {
    facts = factsOf(piece, change, facts);
  });
  return facts;
}

/** Moves the weight into its format. @param scale  σ*, or what the codes are multiples of. */
function placeWeight(parameter: Parameter, { optimizer, precision: { weight } }: Rule, scale: Tensor): void {
  const { tensor } = parameter;
  if (optimizer.materialise) tensor.device.free(tensor);
  else if (weight)
    parameter.tensor = packedAs(tensor, weight, isScaled(weight) ? scale : unitOf(tensor.device));
}

interface FieldFacts {
  /** The initial weights, float32. */
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  readonly rms: number;
  readonly top: number;
  readonly weight: Held;
  readonly scale: Tensor;
}

async function createField(
  device: Device,
  { name, field, held }: HeldField,
  { tensor, shape, rms, top, weight, scale }: FieldFacts,
): Promise<Tensor> {
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
      const part = device.keep(device.empty(shape));
      await mapTensor(tensor, part, (value) => field.init(value, rms));
      return weight ? packedAs(part, weight, isScaled(weight) ? scale : unitOf(device)) : part;
    }
    default:
      return zeroTensor(device, shape, held);
  }
}

const scalarTensor = (device: Device, value: number): Tensor =>
  device.keep(device.tensor(new Float32Array([value]), [1]));

/** @throws OptionError for a format that has no zero: moments start there. */
function zeroTensor(device: Device, shape: readonly number[], held: Held): Tensor {
  if (!held) return filledTensor(device, shape, FLOAT32, 0);
  const format = formatOf(held.format);
  const code = format.info.zeroCode;
  if (code === null) {
    throw new OptionError(
      `logrung: ${format.name} has no zero, from which moments start: hold them in another format`,
    );
  }
  const few = packedBits(format.bits) < 8;
  const encoding = { kind: "coded", format, scale: unitOf(device), scaleAxis: null, packed: few } as const;
  return filledTensor(device, shape, encoding, code);
}

const filledTensor = (
  device: Device,
  shape: readonly number[],
  encoding: Encoding,
  element: number,
): Tensor => {
  const tensor = device.keep(device.empty(shape, encoding));
  fillElements(tensor, element);
  return tensor;
};

const units = new WeakMap<Device, Tensor>();

/** One, shared: the scale of codes that have none, or whose kernel knows it. */
function unitOf(device: Device): Tensor {
  const unit = units.get(device) ?? scalarTensor(device, 1);
  units.set(device, unit);
  return unit;
}
