/** Trains a language model: one step, an evaluation, and the state between steps. */
import type { Batch } from "../data/batches.ts";
import type { LanguageModel } from "../models/model.ts";
import { evaluationPass, trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { bytesOf } from "../ops/quantise.ts";
import { squaredNorm } from "../ops/squared-norm.ts";
import type { OptimizerGroup } from "../optim/group.ts";
import { learningRateFactor, type Schedule } from "../optim/schedules.ts";
import { numberOf } from "../optim/options.ts";
import { checkLayers } from "../precision/layers.ts";
import type { Policy } from "../precision/policy.ts";
import type { Device } from "../tensor/device.ts";
import { backward, type Gradients } from "../tensor/tape.ts";
import { isCoded, item, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { breathe } from "./breathe.ts";
import { DivergenceError, diagnose } from "./divergence.ts";
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
}

export interface StepResult {
  /** Mean loss of the batch before the update, nats a token. */
  readonly loss: number;
  readonly learningRate: number;
  /** √Σg² before clipping; absent when nothing is clipped. */
  readonly gradientNorm?: number;
}

/** Build with {@link createTrainer}. */
export class LanguageTrainer {
  readonly model: LanguageModel;
  readonly groups: readonly OptimizerGroup[];
  private readonly spec: TrainerSpec;
  private activationBytes: number | null = null;

  constructor(spec: TrainerSpec, groups: readonly OptimizerGroup[]) {
    this.spec = spec;
    this.model = spec.model;
    this.groups = groups;
  }

  /**
   * Step t ≥ 1 on one batch.
   *
   * @throws DivergenceError when the loss, or the norm of the gradient where it is measured, is not finite; nothing
   *   is updated then.
   */
  step(batch: Batch, t: number): Promise<StepResult> {
    const { device, model, policy, schedule, steps, seed, dropout } = this.spec;
    return device.step(async () => {
      const loss = lossOf(device, model, batch, trainingPass(policy, dropout, seed, t));
      this.activationBytes ??= device.stepBytes;
      const gradients = backward(loss);
      const value = await item(loss);
      if (!Number.isFinite(value)) {
        throw new DivergenceError(t, `the loss is ${value}`, await diagnose(model.parameters, gradients));
      }
      const { gain, norm } = await this.clip(gradients, t);
      const lrFactor = learningRateFactor(schedule, t, steps);
      for (const group of this.groups) group.step(gradients, { t, lrFactor, gain });
      const learningRate = numberOf(this.groups[0].options, "lr") * lrFactor;
      return { loss: value, learningRate, ...(norm === null ? {} : { gradientNorm: norm }) };
    });
  }

  private async clip(gradients: Gradients, t: number): Promise<{ gain: number; norm: number | null }> {
    const { gradientClip, model } = this.spec;
    if (gradientClip === null) return { gain: 1, norm: null };
    let sum = 0;
    for (const gradient of gradients.values()) sum += await item(squaredNorm(gradient));
    const norm = Math.sqrt(sum);
    if (!Number.isFinite(norm)) {
      const diagnosis = await diagnose(model.parameters, gradients, "its squares overflow float32");
      throw new DivergenceError(t, `the norm of the gradient is ${norm}`, diagnosis);
    }
    return { gain: norm > gradientClip ? gradientClip / norm : 1, norm };
  }

  /** Mean loss over batches, nats a token; no dropout, nothing is updated. */
  evaluate(batches: Iterable<Batch>): Promise<number> {
    const { device, model, policy, seed } = this.spec;
    return evaluate(device, model, policy, seed, batches);
  }

  /** Everything between steps, by name: weights as stored, scales, moments. */
  tensors(): Record<string, Tensor> {
    const weights = Object.fromEntries(this.model.parameters.map(({ name, tensor }) => [name, tensor]));
    return Object.assign(weights, ...this.groups.map((group) => group.tensors()));
  }

  /** Bytes of weights, moments and scales between steps, and of what the first step kept for its backward pass. */
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
 * @throws PolicyError for a pattern of the policy that fits no layer of the model.
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
  return new LanguageTrainer(spec, groups);
}
