/** Trains a model on a task: one step, an evaluation, and the state between steps. */
import { evaluationPass, trainingPass, type Pass } from "../nn/pass.ts";
import { bytesOf } from "../ops/quantise.ts";
import { squaredNorm } from "../ops/squared-norm.ts";
import type { OptimizerGroup } from "../optim/group.ts";
import type { Held } from "../optim/held.ts";
import { afterValidation, freshPlateau, type PlateauState } from "../optim/plateau.ts";
import { learningRateFactor, type Schedule } from "../optim/schedules.ts";
import { createAverage, type WeightAverage } from "../optim/weight-average.ts";
import { numberOf, OptionError } from "../optim/options.ts";
import { checkLayers } from "../precision/layers.ts";
import type { Device } from "../tensor/device.ts";
import { backward, type Gradients } from "../tensor/tape.ts";
import { isCoded, item, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { DivergenceError, diagnose } from "./divergence.ts";
import { GradientSum } from "./gradient-sum.ts";
import { createGroups, type GroupsSpec } from "./parameter-groups.ts";
import type { MemoryParts } from "./run-summary.ts";
import type { Evaluation, Task, TrainedModel, Update } from "./task.ts";

/** How a model is trained, whatever the task. */
export interface TrainingOptions extends Omit<GroupsSpec, "parameters"> {
  readonly device: Device;
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

export interface TrainerSpec<B, M extends TrainedModel> extends TrainingOptions {
  readonly task: Task<B, M>;
}

export interface StepResult {
  /** Mean loss of the batch before the update, in nats; of several updates that of the first. */
  readonly loss: number;
  /** Of a task with several updates a step: mean loss by the updates' names. */
  readonly losses?: Readonly<Record<string, number>>;
  readonly learningRate: number;
  /** √Σg² before clipping, of several updates the greatest; absent when nothing is clipped. */
  readonly gradientNorm?: number;
}

/** Where an update stands in a run. */
interface Place {
  readonly t: number;
  readonly lrFactor: number;
  /** Which of the step's updates it is, from 0, and of how many. */
  readonly index: number;
  readonly count: number;
}

/** What a trainer keeps besides tensors, as JSON. */
export interface TrainerState {
  readonly plateau?: PlateauState;
}

/** Build with {@link createTaskTrainer}. */
export class Trainer<B, M extends TrainedModel> {
  readonly model: M;
  readonly groups: readonly OptimizerGroup[];
  private readonly spec: TrainerSpec<B, M>;
  private activationBytes: number | null = null;
  private readonly average: WeightAverage | null;
  private plateau: PlateauState = freshPlateau;
  private lastStep = 0;

  constructor(spec: TrainerSpec<B, M>, groups: readonly OptimizerGroup[], average: WeightAverage | null) {
    this.spec = spec;
    this.model = spec.task.model;
    this.groups = groups;
    this.average = average;
  }

  /**
   * Step t ≥ 1 on one batch.
   *
   * @throws DivergenceError when the loss, or the norm of the gradient where it is measured, is not finite; nothing
   *   is updated then.
   */
  step(batch: B, t: number): Promise<StepResult> {
    const { device, schedule, steps, task } = this.spec;
    return device.step(async () => {
      const lrFactor = learningRateFactor(schedule, t, steps, this.plateau);
      const updates = task.updates?.(batch) ?? [this.wholeUpdate(batch)];
      const done: { readonly name: string; readonly loss: number; readonly norm: number | null }[] = [];
      for (const [index, update] of updates.entries()) {
        const found = await this.update(update, { t, lrFactor, index, count: updates.length });
        done.push({ name: update.name, ...found });
      }
      if (this.average) {
        materialiseMeans(this.groups, t, lrFactor);
        this.average.update(t);
      }
      this.lastStep = t;
      const norms = done.flatMap(({ norm }) => norm ?? []);
      return {
        loss: done[0].loss,
        ...(task.updates ? { losses: meansByName(done) } : {}),
        learningRate: numberOf(this.groups[0].options, "lr") * lrFactor,
        ...(norms.length > 0 ? { gradientNorm: Math.max(...norms) } : {}),
      };
    });
  }

  private wholeUpdate(batch: B): Update<B> {
    const { task } = this.spec;
    const loss = (part: B, pass: Pass): Tensor => task.loss(part, pass);
    return { name: "loss", parameters: this.model.parameters, batch, turn: 0, turns: 1, loss };
  }

  /** Gradients over the parts of an update's batch, and its parameters moved against them. */
  private async update(
    { batch, parameters, turn, turns, loss }: Update<B>,
    { t, lrFactor, index, count }: Place,
  ): Promise<{ readonly loss: number; readonly norm: number | null }> {
    const { device, task, accumulate = 1, samples = 1 } = this.spec;
    const sum = new GradientSum(parameters);
    const parts = accumulate > 1 ? task.parts(batch, accumulate) : [batch];
    const pieces = parts.flatMap((piece) => Array<B>(samples).fill(piece));
    const share = 1 / pieces.length;
    const first = ((t - 1) * count + index) * pieces.length + 1;
    const own = (t - 1) * turns + turn + 1;
    const materialises = this.groups.some((group) => group.materialises);
    let total = 0;
    for (const [sample, piece] of pieces.entries()) {
      for (const group of this.groups) group.materialise({ t: own, lrFactor, sample });
      device.roundedWeights.again = sample + 1 < pieces.length && !materialises;
      total += (await this.pass({ t, draw: first + sample, loss: (pass) => loss(piece, pass) }, sum)) * share;
    }
    const gradients = sum.total();
    const { gain, norm } = await this.clip(gradients, t, share);
    for (const group of this.groups)
      group.step(gradients, { t: own, lrFactor, gain, sample: pieces.length - 1 });
    return { loss: total, norm };
  }

  /** Forward and backward over a part of the batch. @param draw  numbers the passes of a run. @returns its mean loss. */
  private async pass(
    {
      t,
      draw,
      loss: lossOf,
    }: { readonly t: number; readonly draw: number; readonly loss: (pass: Pass) => Tensor },
    sum: GradientSum,
  ): Promise<number> {
    const { device, policy, seed, dropout } = this.spec;
    const loss = lossOf(trainingPass(policy, dropout, seed, draw));
    this.activationBytes ??= device.stepBytes - device.roundedWeights.bytes;
    const gradients = backward(loss);
    const value = await item(loss);
    if (!Number.isFinite(value))
      throw new DivergenceError(t, `the loss is ${value}`, await diagnose(this.model.parameters, gradients));
    sum.add(gradients);
    return value;
  }

  /** @param share  what the sum of gradients is multiplied by to be their mean. */
  private async clip(
    gradients: Gradients,
    t: number,
    share: number,
  ): Promise<{ gain: number; norm: number | null }> {
    const { gradientClip } = this.spec;
    if (gradientClip === null) return { gain: share, norm: null };
    let sum = 0;
    for (const gradient of gradients.values()) sum += await item(squaredNorm(gradient));
    const norm = share * Math.sqrt(sum);
    if (!Number.isFinite(norm)) {
      const diagnosis = await diagnose(this.model.parameters, gradients, "its squares overflow float32");
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

  /** Loss and what else the task measures, over all batches; no dropout, nothing is updated. */
  evaluate(batches: Iterable<B> | AsyncIterable<B>): Promise<Evaluation> {
    const { device, task, policy, seed } = this.spec;
    return this.evaluating(async () => {
      const pass = evaluationPass(policy, seed);
      const total = { count: 0, loss: 0, correct: 0 };
      let judged = false;
      for await (const batch of batches) {
        const { count, loss, correct } = await device.step(() =>
          device.tape.without(() => task.measure(batch, pass)),
        );
        total.count += count;
        total.loss += loss * count;
        total.correct += correct ?? 0;
        judged ||= correct !== undefined;
        await breathe();
      }
      const { count } = total;
      return { loss: total.loss / count, ...(judged ? { accuracy: total.correct / count } : {}) };
    });
  }

  /** Everything between steps, by name: weights as stored, scales, moments, the model's buffers. */
  tensors(): Record<string, Tensor> {
    const kept = this.groups.filter((group) => !group.materialises).flatMap(({ slots }) => slots);
    const weights = new Map(kept.map(({ parameter: { name, tensor } }) => [name, tensor]));
    // In the model's order, which readers show.
    const ordered = this.model.parameters.flatMap(({ name }) => {
      const tensor = weights.get(name);
      return tensor ? [[name, tensor] as const] : [];
    });
    const states = this.groups.map((group) => group.tensors());
    return Object.assign(Object.fromEntries(ordered), this.model.buffers, ...states, this.average?.tensors());
  }

  /** Bytes of weights (buffers and parts too), moments (averages too) and scales between steps, and of what the first step kept for its backward pass. */
  get memory(): MemoryParts {
    const { parameters, buffers = {} } = this.model;
    const parts = this.groups.flatMap(({ partNames }) => partNames);
    const weights = new Set([...parameters.map(({ name }) => name), ...Object.keys(buffers), ...parts]);
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

/**
 * Prepares training: groups are made and weights move into their formats.
 *
 * @throws OptionError for several samples of weights that no rule draws, PolicyError for a pattern of the policy that
 *   fits no layer of the model, and what groups throw.
 */
export async function createTaskTrainer<B, M extends TrainedModel>(
  spec: TrainerSpec<B, M>,
): Promise<Trainer<B, M>> {
  const { layers, parameters } = spec.task.model;
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
  if (!average) return new Trainer(spec, groups, null);
  const chosen = new Set(spec.task.averaged ?? parameters);
  const averagedParameters = groups.flatMap(({ slots }) =>
    slots.flatMap(({ parameter }) => (chosen.has(parameter) ? [parameter] : [])),
  );
  materialiseMeans(groups, 1, 1);
  const averaged = await createAverage({ ...average, parameters: averagedParameters, seed });
  freeComputed(groups);
  return new Trainer(spec, groups, averaged);
}

/** Mean loss of the updates of each name. */
function meansByName(
  done: readonly { readonly name: string; readonly loss: number }[],
): Record<string, number> {
  const names = [...new Set(done.map(({ name }) => name))];
  return Object.fromEntries(
    names.map((name) => {
      const losses = done.flatMap((update) => (update.name === name ? [update.loss] : []));
      return [name, losses.reduce((a, b) => a + b, 0) / losses.length];
    }),
  );
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
