/** An optimiser at work on a group of parameters: its state in memory, its step. */
import { format as formatOf, rungsOf, type ScalarFormat } from "../formats/index.ts";
import type { PointwiseKernel } from "../kernels/pointwise.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { weylPhase } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Gradients } from "../tensor/tape.ts";
import { openPacked } from "../ops/pack.ts";
import { packedBits } from "../tensor/packing.ts";
import { FLOAT32, isCoded, sizeOf, type Encoding, type Tensor } from "../tensor/tensor.ts";
import { freeCoded, quantiseScaled } from "../ops/quantise.ts";
import { momentUniforms } from "./moments.ts";
import type { Optimizer } from "./optimizer.ts";
import { numberOf, OptionError, resolveOptions, type Options } from "./options.ts";
import { rootMeanSquare, storeAs } from "./store-weight.ts";
import { onLadder, updateKernel, type StatePrecision } from "./update-kernel.ts";

export interface GroupSpec {
  readonly optimizer: Optimizer;
  /** Options by name; what is left out takes its default. */
  readonly options: Options;
  readonly precision: StatePrecision;
  readonly parameters: readonly Parameter[];
  /** Seed of the stochastic roundings. */
  readonly seed: number;
}

/** What changes from step to step. */
export interface StepSettings {
  /** t = 1 for the first. */
  readonly t: number;
  /** The schedule's factor of the learning rate. */
  readonly lrFactor: number;
  /** Factor of every gradient: clipping by norm, or the mean over accumulated batches. Default 1. */
  readonly gain?: number;
}

interface Slot {
  readonly parameter: Parameter;
  /** σ*: the bound of float weights, the top rung of coded ones. */
  readonly scale: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
}

const UNBOUNDED = 3.4028234663852886e38;

/** One optimiser on one group. Build with {@link createGroup}. */
export class OptimizerGroup {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly precision: StatePrecision;
  readonly slots: readonly Slot[];
  private readonly kernel: PointwiseKernel;
  private readonly seed: number;

  constructor(spec: GroupSpec, options: Options, slots: readonly Slot[]) {
    this.optimizer = spec.optimizer;
    this.options = options;
    this.precision = spec.precision;
    this.seed = spec.seed;
    this.slots = slots;
    this.kernel = updateKernel(spec.optimizer, options, spec.precision);
  }

  /** Updates every parameter that has a gradient, in place. */
  step(gradients: Gradients, { t, lrFactor, gain = 1 }: StepSettings): void {
    const lr = numberOf(this.options, "lr") * lrFactor;
    const rates = this.optimizer.moments(this.options);
    const common = { ...this.optimizer.uniforms(this.options, lr, t), ...momentUniforms(rates, t), gain };
    for (const slot of this.slots) {
      const gradient = gradients.get(slot.parameter.tensor);
      if (gradient) this.update(slot, gradient, common, t);
    }
  }

  private update(slot: Slot, gradient: Tensor, common: Record<string, number>, t: number): void {
    const { parameter, scale, state } = slot;
    const { device, shape } = parameter.tensor;
    const [key0, key1] = streamKey(this.seed, parameter.name, 0, "update rounding");
    const g = this.roundedGradient(parameter, gradient, t);
    const gScale: Record<string, Tensor> = isCoded(g) ? { gScale: g.encoding.scale } : {};
    openPacked({ w: parameter.tensor, ...state }, (kept) =>
      device.run(this.kernel, {
        inputs: { ...kept, g, scale, ...gScale },
        outputs: kept,
        uniforms: { ...common, key0, key1, phase: weylPhase(t) },
        sizes: { rows: 1, columns: sizeOf(shape) },
      }),
    );
    if (g !== gradient && isCoded(g)) freeCoded(g);
  }

  private roundedGradient(parameter: Parameter, gradient: Tensor, t: number): Tensor {
    const { gradient: precision } = this.precision;
    if (!precision) return gradient;
    const key = streamKey(this.seed, parameter.name, t, "gradient rounding");
    return quantiseScaled(gradient, precision, null, key);
  }

  /** Everything a checkpoint keeps besides the weights themselves, by name. */
  tensors(): Record<string, Tensor> {
    const all: Record<string, Tensor> = {};
    for (const { parameter, scale, state } of this.slots) {
      all[`${parameter.name}.scale`] = scale;
      for (const [field, tensor] of Object.entries(state)) all[`${parameter.name}.${field}`] = tensor;
    }
    return all;
  }
}

/**
 * Prepares an optimiser for a group: weights move into their format, state is made.
 *
 * @throws OptionError for options the optimiser does not have; RangeError for an all-zero weight on a ladder.
 */
export async function createGroup(spec: GroupSpec): Promise<OptimizerGroup> {
  const { optimizer, precision } = spec;
  const options = resolveOptions(`optimiser ${optimizer.name}`, optimizer.options, spec.options);
  checkReach(optimizer, options, precision);
  const slots: Slot[] = [];
  for (const parameter of spec.parameters)
    slots.push(await createSlot(parameter, optimizer, options, precision));
  return new OptimizerGroup(spec, options, slots);
}

/** A step's kernel counts rungs in a float32's integers. */
const MOST_RUNGS = 2 ** 20;

function checkReach(optimizer: Optimizer, options: Options, { weight }: StatePrecision): void {
  const ladder = weight ? rungsOf(formatOf(weight.format)) : null;
  if (!ladder) return;
  const rungs = (optimizer.reach(options) ?? 0) * ladder.perOctave;
  if (rungs <= MOST_RUNGS) return;
  throw new OptionError(
    `logrung: with these options a step of ${optimizer.name} could move a weight by ${rungs.toPrecision(3)} rungs, ` +
      `wants at most ${MOST_RUNGS}: lower lr or bound`,
  );
}

async function createSlot(
  parameter: Parameter,
  optimizer: Optimizer,
  options: Options,
  precision: StatePrecision,
): Promise<Slot> {
  const { device } = parameter.tensor;
  const multiple = optimizer.clampScale(options) ?? (onLadder(precision.weight) ? DEFAULT_TOP : null);
  const fixed = onLadder(precision.weight) ? precision.weight?.scale : undefined;
  const bound = typeof fixed === "number" ? fixed : await boundOf(parameter, multiple);
  if (precision.weight) storeAs(parameter, precision.weight, bound);
  const { tensor } = parameter;
  const scale = isCoded(tensor)
    ? tensor.encoding.scale
    : device.keep(device.tensor(new Float32Array([bound]), [1]));
  const rates = optimizer.moments(options);
  const state: Record<string, Tensor> = {};
  if (rates.first !== null) state.m = zeros(device, tensor.shape, precision.moment.first);
  if (rates.second !== null) state.v = zeros(device, tensor.shape, precision.moment.second);
  return { parameter, scale, state };
}

/** σ*: a multiple of the initial root mean square; without one, what float32 holds. */
async function boundOf({ tensor }: Parameter, multiple: number | null): Promise<number> {
  return multiple === null ? UNBOUNDED : multiple * (await rootMeanSquare(tensor));
}

/** The top rung of an additive optimiser's weights on a ladder, in root mean squares: room for weights to grow. */
const DEFAULT_TOP = 16;

/** @throws OptionError for a format that has no zero: moments start there. */
function zeroCodeOf({ name, info }: ScalarFormat): number {
  if (info.zeroCode !== null) return info.zeroCode;
  throw new OptionError(
    `logrung: ${name} has no zero, from which moments start: hold them in another format`,
  );
}

function zeros(device: Device, shape: readonly number[], precision: TensorPrecision | null): Tensor {
  const encoding: Encoding = precision ? momentEncoding(device, precision) : FLOAT32;
  const size = sizeOf(shape);
  if (encoding.kind !== "coded") return device.keep(device.tensor(new Float32Array(size), shape));
  const codes = encoding.format.bits <= 8 ? new Uint8Array(size) : new Uint16Array(size);
  return device.keep(device.tensor(codes.fill(zeroCodeOf(encoding.format)), shape, encoding));
}

const units = new WeakMap<Device, Tensor>();

/** Moments have fixed scales inside their kernel; the encoding's own scale is one, shared. */
function momentEncoding(device: Device, { format }: TensorPrecision): Encoding {
  const unit = units.get(device) ?? device.keep(device.tensor(new Float32Array([1]), [1]));
  units.set(device, unit);
  const packed = packedBits(formatOf(format).bits) < 8;
  return { kind: "coded", format: formatOf(format), scale: unit, scaleAxis: null, packed };
}
