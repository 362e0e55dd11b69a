/** Trains a language model: one step, an evaluation, and the state between steps. */
import type { Batch } from "../data/batches.ts";
import type { LanguageModel } from "../models/model.ts";
import { evaluationPass, trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { bytesOf } from "../ops/quantise.ts";
import { squaredNorm } from "../ops/squared-norm.ts";
import type { OptimizerGroup } from "../optim/group.ts";
import type { Held } from "../optim/held.ts";
import { afterValidation, freshPlateau, type PlateauState } from "../optim/plateau.ts";
import { learningRateFactor, type Schedule } from "../optim/schedules.ts";
import { createAverage, type WeightAverage } from "../optim/weight-average.ts";
import { numberOf, OptionError } from "../optim/options.ts";
import { checkLayers } from "../precision/layers.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { backward, type Gradients } from "../tensor/tape.ts";
import { isCoded, item, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { DivergenceError, diagnose } from "./divergence.ts";
import { GradientSum } from "./gradient-sum.ts";
import { createGroups, type GroupsSpec } from "./parameter-groups.ts";
import type { MemoryParts } from "./run-summary.ts";

export interface TrainerSpec extends Omit<GroupsSpec, "parameters"> {
  readonly device: Device;
  readonly model: LanguageModel;
  readonly schedule: Schedule;
  /** Steps of the whole run, which the schedule spans. */
  readonly steps: number;
  /** Probability of dropping in training. */
  readonly dropout: number;
  /** Longest allowed gradient, √Σg² over all parameters; null for no limit. */
  readonly gradientClip: number | null;
  /** Parts that a batch is computed in, one after the other, their gradients added up. Default 1. */
  readonly accumulate?: number;
  /**
   * Draws of the weights that each batch is computed with, for rules that draw them; the gradient is the mean over
   * them, and a step takes as many times as long. Default 1.
   */
  readonly samples?: number;
  /** A moving average of the weights, which validation and sampling then use. Default none. */
  readonly average?: { readonly decay: number; readonly precision: Held } | null;
}

export interface StepResult {
  /** Mean loss of the batch before the update, nats a token. */
  readonly loss: number;
  readonly learningRate: number;
  /** √Σg² before clipping; absent when nothing is clipped. */
  readonly gradientNorm?: number;
}

/** What a trainer keeps besides tensors, as JSON. */
export interface TrainerState {
  readonly plateau?: PlateauState;
}

/** Build with {@link createTrainer}. */
export class LanguageTrainer {
  readonly model: LanguageModel;
  readonly groups: readonly OptimizerGroup[];
  private readonly spec: TrainerSpec;
  private activationBytes: number | null = null;
  private readonly average: WeightAverage | null;
  private plateau: PlateauState = freshPlateau;
  private lastStep = 0;

  constructor(spec: TrainerSpec, groups: readonly OptimizerGroup[], average: WeightAverage | null) {
    this.spec = spec;
    this.model = spec.model;
    this.groups = groups;
    this.average = average;
  }

  /**
   * Step t ≥ 1 on one batch.
   *
   * @throws DivergenceError when the loss, or the norm of the gradient where it is measured, is not finite; nothing
   *   is updated then.
   */
  step(batch: Batch, t: number): Promise<StepResult> {
    const { device, schedule, steps, accumulate = 1, samples = 1 } = this.spec;
    return device.step(async () => {
      const lrFactor = learningRateFactor(schedule, t, steps, this.plateau);
      const sum = new GradientSum(this.model.parameters);
      const pieces = partsOf(batch, accumulate).flatMap((piece) => Array<Batch>(samples).fill(piece));
      const share = 1 / pieces.length;
      let loss = 0;
      for (const [sample, piece] of pieces.entries()) {
        for (const group of this.groups) group.materialise({ t, lrFactor, sample });
        loss += (await this.pass(piece, t, (t - 1) * pieces.length + sample + 1, sum)) * share;
      }
      const gradients = sum.total();
      const { gain, norm } = await this.clip(gradients, t, share);
      for (const group of this.groups)
        group.step(gradients, { t, lrFactor, gain, sample: pieces.length - 1 });
      if (this.average) {
        materialiseMeans(this.groups, t, lrFactor);
        this.average.update(t);
      }
      this.lastStep = t;
      const learningRate = numberOf(this.groups[0].options, "lr") * lrFactor;
      return { loss, learningRate, ...(norm === null ? {} : { gradientNorm: norm }) };
    });
  }

  /** Forward and backward over a part of the batch. @param draw  numbers the passes of a run. @returns its mean loss. */
  private async pass(batch: Batch, t: number, draw: number, sum: GradientSum): Promise<number> {
    const { device, model, policy, seed, dropout } = this.spec;
    const loss = lossOf(device, model, batch, trainingPass(policy, dropout, seed, draw));
    this.activationBytes ??= device.stepBytes;
    const gradients = backward(loss);
    const value = await item(loss);
    if (!Number.isFinite(value))
      throw new DivergenceError(t, `the loss is ${value}`, await diagnose(model.parameters, gradients));
    sum.add(gradients);
    return value;
  }

  /** @param share  what the sum of gradients is multiplied by to be their mean. */
  private async clip(
    gradients: Gradients,
    t: number,
    share: number,
  ): Promise<{ gain: number; norm: number | null }> {
    const { gradientClip, model } = this.spec;
    if (gradientClip === null) return { gain: share, norm: null };
    let sum = 0;
    for (const gradient of gradients.values()) sum += await item(squaredNorm(gradient));
    const norm = share * Math.sqrt(sum);
    if (!Number.isFinite(norm)) {
      const diagnosis = await diagnose(model.parameters, gradients, "its squares overflow float32");
      throw new DivergenceError(t, `the norm of the gradient is ${norm}`, diagnosis);
    }
    return { gain: share * (norm > gradientClip ? gradientClip / norm : 1), norm };
  }

  /** Tells the schedule of a validation, which may lower the learning rate of the steps that follow. */
  observe(validationLoss: number): void {
    const { schedule } = this.spec;
    if (schedule.name === "plateau") this.plateau = afterValidation(this.plateau, validationLoss, schedule);
  }

  /** What a checkpoint keeps besides tensors. */
  get state(): TrainerState {
    return this.spec.schedule.name === "plateau" ? { plateau: this.plateau } : {};
  }

  /** Goes on from a checkpoint taken after a step. */
  resume(step: number, { plateau = freshPlateau }: TrainerState): void {
    this.lastStep = step;
    this.plateau = plateau;
  }

  /**
   * Runs `body` with the weights that the model is judged by: averages where they are kept, and without noise where a
   * rule computes the weights. Not inside a step.
   */
  async evaluating<T>(body: () => Promise<T>): Promise<T> {
    if (this.average) return this.average.during(body);
    const { schedule, steps } = this.spec;
    const t = Math.max(1, this.lastStep);
    const lrFactor = learningRateFactor(schedule, t, steps, this.plateau);
    materialiseMeans(this.groups, t, lrFactor);
    try {
      return await body();
    } finally {
      freeComputed(this.groups);
    }
  }

  /** Mean loss over batches, nats a token; no dropout, nothing is updated. */
  evaluate(batches: Iterable<Batch>): Promise<number> {
    const { device, model, policy, seed } = this.spec;
    return this.evaluating(() => evaluate(device, model, policy, seed, batches));
  }

  /** Everything between steps, by name: weights as stored, scales, moments. */
  tensors(): Record<string, Tensor> {
    const kept = this.groups.filter((group) => !group.materialises).flatMap(({ slots }) => slots);
    const weights = new Map(kept.map(({ parameter: { name, tensor } }) => [name, tensor]));
    // In the model's order, which readers show.
    const ordered = this.model.parameters.flatMap(({ name }) => {
      const tensor = weights.get(name);
      return tensor ? [[name, tensor] as const] : [];
    });
    const states = this.groups.map((group) => group.tensors());
    return Object.assign(Object.fromEntries(ordered), ...states, this.average?.tensors());
  }

  /** Bytes of weights, moments (averages and parts too) and scales between steps, and of what the first step kept for its backward pass. */
  get memory(): MemoryParts {
    const weights = new Set(this.model.parameters.map(({ name }) => name));
    const bytes = { weights: 0, moments: 0, scales: 0 };
    for (const [name, tensor] of Object.entries(this.tensors())) {
      const part = weights.has(name) ? "weights" : name.endsWith(".scale") ? "scales" : "moments";
      bytes[part] += isCoded(tensor) ? bytesOf(tensor) - bytesOf(tensor.encoding.scale) : bytesOf(tensor);
    }
    return { ...bytes, activations: this.activationBytes };
  }

  /** Bytes held between steps for weights and optimiser state. */
  get stateBytes(): number {
    const { weights, moments, scales } = this.memory;
    return weights + moments + scales;
  }

  get parameterCount(): number {
    return this.model.parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0);
  }
}

function lossOf(
  device: Device,
  model: LanguageModel,
  batch: Batch,
  pass: ReturnType<typeof trainingPass>,
): Tensor {
  const tokens = [batch.rows * batch.context];
  const logits = model.logits(device.tensor(batch.inputs, tokens), batch.rows, pass);
  return crossEntropy(logits, device.tensor(batch.targets, tokens));
}

/** Mean loss of a model over batches, nats a token. */
export async function evaluate(
  device: Device,
  model: LanguageModel,
  policy: Policy,
  seed: number,
  batches: Iterable<Batch>,
): Promise<number> {
  let sum = 0;
  let tokens = 0;
  for (const batch of batches) {
    const count = batch.rows * batch.context;
    const loss = await device.step(() =>
      device.tape.without(() => item(lossOf(device, model, batch, evaluationPass(policy, seed)))),
    );
    sum += loss * count;
    tokens += count;
    await breathe();
  }
  return sum / tokens;
}

/**
 * Prepares training: groups are made and weights move into their formats.
 *
 * @throws OptionError for several samples of weights that no rule draws, PolicyError for a pattern of the policy that
 *   fits no layer of the model, and what groups throw.
 */
export async function createTrainer(spec: TrainerSpec): Promise<LanguageTrainer> {
  const { layers, parameters } = spec.model;
  const held = parameters.filter(({ kind }) => kind === "matrix" || kind === "embedding");
  checkLayers(
    spec.policy,
    layers,
    held.map(({ name }) => name),
  );
  const groups = await createGroups({ ...spec, parameters });
  const { average, seed, samples = 1 } = spec;
  if (samples > 1 && !groups.some(({ materialises }) => materialises))
    throw new OptionError(
      `logrung: ${samples} samples a step, but ${spec.optimizer.name} draws no weights: wants 1`,
    );
  if (!average) return new LanguageTrainer(spec, groups, null);
  const averagedParameters = groups.flatMap(({ slots }) => slots.map(({ parameter }) => parameter));
  materialiseMeans(groups, 1, 1);
  const averaged = await createAverage({ ...average, parameters: averagedParameters, seed });
  freeComputed(groups);
  return new LanguageTrainer(spec, groups, averaged);
}

/** Puts the means in place of weights that are drawn. */
function materialiseMeans(groups: readonly OptimizerGroup[], t: number, lrFactor: number): void {
  for (const group of groups) group.materialise({ t, lrFactor, sample: null });
}

/** Frees weights that were computed outside a step. */
function freeComputed(groups: readonly OptimizerGroup[]): void {
  for (const { materialises, slots } of groups)
    if (materialises) for (const { parameter } of slots) parameter.tensor.device.free(parameter.tensor);
}

/** A batch as so many equal parts. @throws RangeError when its windows do not divide evenly. */
function partsOf(batch: Batch, parts: number): Batch[] {
  if (parts === 1) return [batch];
  const { context, inputs, targets } = batch;
  const rows = batch.rows / parts;
  if (!Number.isInteger(rows))
    throw new RangeError(`logrung: a batch of ${batch.rows} does not divide into ${parts} equal parts`);
  return Array.from({ length: parts }, (_, i) => {
    const [from, to] = [i * rows * context, (i + 1) * rows * context];
    return { rows, context, inputs: inputs.subarray(from, to), targets: targets.subarray(from, to) };
  });
}
