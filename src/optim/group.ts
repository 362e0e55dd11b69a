/** An optimiser at work on a group of parameters: its state in memory, its step. */
import { format as formatOf } from "../formats/index.ts";
import type { PointwiseKernel } from "../kernels/pointwise.ts";
import { weylPhase } from "../random/random-bits.ts";
import { streamKey } from "../random/stream.ts";
import type { TensorCall } from "../tensor/device.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Gradients } from "../tensor/tape.ts";
import { FLOAT32, isCoded, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { packInto, unpacked } from "../ops/pack.ts";
import { freeCoded, quantiseScaled } from "../ops/quantise.ts";
import type { StatePrecision } from "./fields.ts";
import { ladderOf } from "./held.ts";
import { materialiseKernel } from "./materialise-kernel.ts";
import type { Optimizer } from "./optimizer.ts";
import { numberOf, OptionError, resolveOptions, type Options } from "./options.ts";
import { reductionKernels, totalName, type ReductionKernels } from "./reduction-kernels.ts";
import { createSlot, type Slot } from "./slot.ts";
import { ruleOf, stepUniforms, type Rule } from "./rule.ts";
import { updateKernel } from "./update-kernel.ts";
import type { Zeros } from "./zeros.ts";

export interface GroupSpec {
  readonly optimizer: Optimizer;
  /** Options by name; what is left out takes its default. */
  readonly options: Options;
  readonly precision: StatePrecision;
  readonly parameters: readonly Parameter[];
  /** Seed of the stochastic roundings. */
  readonly seed: number;
  /** What becomes of zero weights under a multiplicative rule. Default keep. */
  readonly zeros?: Zeros;
  /** Bound of the magnitude of each gradient value, after `gain`. Default null: none. */
  readonly clipValue?: number | null;
}

/** What changes from step to step. */
export interface StepSettings {
  /** t = 1 for the first. */
  readonly t: number;
  /** The schedule's factor of the learning rate. */
  readonly lrFactor: number;
  /** Factor of every gradient: clipping by norm, or the mean over accumulated batches. Default 1. */
  readonly gain?: number;
  /** Which sample of the weights the update's own random bits are those of. Default 0. */
  readonly sample?: number;
}

/** Which weights a rule that materialises them is to compute. */
export interface MaterialiseSettings {
  /** The step that the forward pass belongs to. */
  readonly t: number;
  readonly lrFactor: number;
  /** Draw number within the step; null for evaluation, without noise. */
  readonly sample: number | null;
}

interface Work {
  readonly slot: Slot;
  /** The weight as `w` and every field, as kernels read and write them: codes of few bits unpacked. */
  readonly open: Readonly<Record<string, Tensor>>;
  readonly gradient: Tensor;
  /** The gradient as the kernels read it. */
  readonly g: Tensor;
}

/** What every kernel of a step reads. */
function elementsOf({ slot: { scale }, open, g }: Work): Record<string, Tensor> {
  return { w: open.w, g, scale, ...(isCoded(g) ? { gScale: g.encoding.scale } : {}) };
}

function opened({ parameter, state }: Slot): Record<string, Tensor> {
  const all = Object.entries({ w: parameter.tensor, ...state });
  return Object.fromEntries(all.map(([name, tensor]) => [name, unpacked(tensor)]));
}

/** Packs again what was unpacked. */
function close({ parameter, state }: Slot, open: Readonly<Record<string, Tensor>>): void {
  for (const [name, tensor] of Object.entries({ w: parameter.tensor, ...state })) {
    if (open[name] === tensor) continue;
    packInto(tensor, open[name]);
    tensor.device.free(open[name]);
  }
}

/** One optimiser on one group. Build with {@link createGroup}. */
export class OptimizerGroup {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly precision: StatePrecision;
  readonly slots: readonly Slot[];
  private readonly rule: Rule;
  private readonly kernel: PointwiseKernel;
  private readonly reductions: ReductionKernels | null;
  private readonly weights: PointwiseKernel | null;
  private readonly seed: number;
  private readonly clipValue: number;

  constructor(spec: GroupSpec, rule: Rule, slots: readonly Slot[]) {
    this.optimizer = spec.optimizer;
    this.options = rule.options;
    this.precision = spec.precision;
    this.seed = spec.seed;
    this.clipValue = spec.clipValue ?? 0;
    this.slots = slots;
    this.rule = rule;
    this.kernel = updateKernel(rule);
    this.reductions = reductionKernels(rule);
    this.weights = materialiseKernel(rule);
  }

  /** Whether {@link materialise} has to run before every forward pass. */
  get materialises(): boolean {
    return this.weights !== null;
  }

  /** Names of parameters with weights that are zero for ever, and how many of each. */
  get immovable(): readonly { readonly name: string; readonly zeros: number; readonly of: number }[] {
    return this.slots.flatMap(({ parameter, immovable }) =>
      immovable > 0 ? [{ name: parameter.name, zeros: immovable, of: sizeOf(parameter.tensor.shape) }] : [],
    );
  }

  /**
   * Computes the weights of the next forward pass into new float32 tensors, which belong to the step that is open (else
   * to the caller). Does nothing for rules that keep the weight itself.
   */
  materialise({ t, lrFactor, sample }: MaterialiseSettings): void {
    const { weights, slots } = this;
    if (!weights || slots.length === 0) return;
    const common = this.numbers({ t, lrFactor });
    const { device } = slots[0].parameter.tensor;
    const freed: Tensor[] = [];
    const calls = slots.map(({ parameter, scale, state }): TensorCall => {
      const { shape } = parameter.tensor;
      parameter.tensor = device.empty(shape, FLOAT32, true);
      const parts = Object.fromEntries(Object.entries(state).map(([name, part]) => [name, unpacked(part)]));
      freed.push(...Object.entries(parts).flatMap(([name, part]) => (part === state[name] ? [] : [part])));
      const [own0, own1] = this.ownKey(parameter, t, sample ?? 0);
      return {
        inputs: { scale, ...parts },
        outputs: { w: parameter.tensor },
        uniforms: { ...common, noise: sample === null ? 0 : 1, own0, own1 },
        sizes: { rows: 1, columns: sizeOf(shape) },
      };
    });
    device.runAll(weights, calls);
    for (const part of freed) device.free(part);
  }

  /** Updates every parameter that has a gradient, in place: one dispatch, after the reductions of rules that have some. */
  step(gradients: Gradients, settings: StepSettings): void {
    const work = this.slots.flatMap((slot): Work[] => {
      const gradient = gradients.get(slot.parameter.tensor);
      if (!gradient) return [];
      return [{ slot, open: opened(slot), gradient, g: this.rounded(slot.parameter, gradient, settings.t) }];
    });
    if (work.length === 0) return;
    const { device } = work[0].gradient;
    for (const { slot } of work) device.roundedWeights.forget(slot.parameter.tensor);
    const common = this.numbers(settings);
    const totals = this.reduce(work, common);
    const phase = weylPhase(settings.t);
    const calls = work.map((each, i): TensorCall => {
      const { parameter, before } = each.slot;
      const [key0, key1] = streamKey(this.seed, parameter.name, 0, "update rounding");
      const [own0, own1] = this.ownKey(parameter, settings.t, settings.sample ?? 0);
      return {
        inputs: { ...each.open, ...elementsOf(each), ...before, ...totals[i] },
        outputs: {},
        uniforms: { ...common, key0, key1, phase, own0, own1 },
        sizes: { rows: 1, columns: sizeOf(parameter.tensor.shape) },
      };
    });
    device.runAll(this.kernel, calls);
    for (const total of totals) for (const tensor of Object.values(total)) device.free(tensor);
    for (const { slot, open, g, gradient } of work) {
      close(slot, open);
      if (g !== gradient && isCoded(g)) freeCoded(g);
    }
  }

  /** Numbers of whole tensors, by the names the update reads them by. */
  private reduce(
    work: readonly Work[],
    uniforms: Readonly<Record<string, number>>,
  ): Record<string, Tensor>[] {
    const { reductions } = this;
    if (!reductions) return work.map(() => ({}));
    const { device } = work[0].gradient;
    const make = (length: number): Record<string, Tensor> =>
      Object.fromEntries(reductions.reductions.map((name) => [name, device.empty([length])]));
    const heights = work.map(
      ({ gradient: { shape } }) => sizeOf(shape) / Math.max(1, shape[shape.length - 1] ?? 1),
    );
    const partials = heights.map(make);
    const totals = work.map(() => make(1));
    if (reductions.reductions.length > 0) {
      const calls = work.map((each, i): TensorCall => {
        const columns = sizeOf(each.gradient.shape) / Math.max(1, heights[i]);
        return {
          inputs: elementsOf(each),
          outputs: partials[i],
          uniforms,
          sizes: { rows: heights[i], columns },
        };
      });
      device.runAll(reductions.partial, calls);
    }
    const calls = work.map(({ slot }, i): TensorCall => {
      const numbers = Object.fromEntries(reductions.numbers.map((name) => [name, slot.state[name]]));
      const outputs = Object.entries(totals[i]).map(([name, tensor]) => [totalName(name), tensor] as const);
      return {
        inputs: { ...partials[i], ...numbers },
        outputs: { ...Object.fromEntries(outputs), ...slot.before },
        uniforms,
        sizes: { rows: 1, columns: heights[i] },
      };
    });
    device.runAll(reductions.total, calls);
    for (const partial of partials) for (const tensor of Object.values(partial)) device.free(tensor);
    return totals;
  }

  /** The numbers that all tensors share. */
  private numbers({ t, lrFactor, gain = 1 }: StepSettings): Record<string, number> {
    const lr = numberOf(this.options, "lr") * lrFactor;
    return { ...stepUniforms(this.rule, lr, t), gain, clip: this.clipValue };
  }

  private ownKey({ name }: Parameter, t: number, sample: number) {
    return streamKey(this.seed, name, t, `weights of sample ${sample}`);
  }

  private rounded(parameter: Parameter, gradient: Tensor, t: number): Tensor {
    const { gradient: precision } = this.precision;
    if (!precision) return gradient;
    const key = streamKey(this.seed, parameter.name, t, "gradient rounding");
    return quantiseScaled(gradient, precision, null, key);
  }

  /** The names in {@link tensors} of what stands in the place of weights. */
  get partNames(): readonly string[] {
    const parts = this.rule.fields.filter(({ field }) => field.role === "part");
    return this.slots.flatMap(({ parameter }) => parts.map(({ name }) => `${parameter.name}.${name}`));
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
 * @throws OptionError for options the optimiser does not have, and formats that cannot hold its fields.
 */
export async function createGroup(spec: GroupSpec): Promise<OptimizerGroup> {
  const { optimizer, precision, zeros = "keep", clipValue = null } = spec;
  const options = resolveOptions(`optimiser ${optimizer.name}`, optimizer.options, spec.options);
  checkReach(optimizer, options, precision);
  const rule = ruleOf(optimizer, options, precision, clipValue !== null);
  const slots: Slot[] = [];
  for (const parameter of spec.parameters) slots.push(await createSlot(parameter, rule, zeros, spec.seed));
  return new OptimizerGroup(spec, rule, slots);
}

/** A step's kernel counts rungs in a float32's integers. */
const MOST_RUNGS = 2 ** 20;

function checkReach(optimizer: Optimizer, options: Options, { weight }: StatePrecision): void {
  const ladder = weight ? ladderOf(formatOf(weight.format)) : null;
  if (!ladder) return;
  const rungs = (optimizer.reach?.(options) ?? 0) / ladder.octavesPerRung;
  if (rungs <= MOST_RUNGS) return;
  throw new OptionError(
    `logrung: with these options a step of ${optimizer.name} could move a weight by ${rungs.toPrecision(3)} rungs, ` +
      `wants at most ${MOST_RUNGS}: lower lr or bound`,
  );
}
