/** What a model is trained to do: what a batch is, its loss, and how the model is judged. */
import type { Pass } from "../nn/pass.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What training needs of any model. */
export interface TrainedModel {
  readonly parameters: readonly Parameter[];
  /** Names of what reads or keeps tensors in a policy's formats. */
  readonly layers: readonly string[];
  /** State that is no parameter, by name: running statistics. Default none. */
  readonly buffers?: Readonly<Record<string, Tensor>>;
}

/** How a model did on one batch. */
export interface Measurement {
  /** What was judged: tokens, images. */
  readonly count: number;
  /** Mean loss, in nats. */
  readonly loss: number;
  /** How many the model got right; left out where that is no measure of the task. */
  readonly correct?: number;
}

/** How a model does on a data set. */
export interface Evaluation {
  /** Mean loss, in nats. */
  readonly loss: number;
  /** Share that the model got right, 0 to 1; absent where that is no measure of the task. */
  readonly accuracy?: number;
}

/** One of several updates that make a step: parameters, and the loss that they lower. */
export interface Update<B> {
  /** What its loss is called in metrics: `discriminator` is `discriminatorLoss`. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Its part of the step's batch. */
  readonly batch: B;
  /** Which of the step's updates of these parameters it is, from 0, and how many there are: the optimiser counts them all. */
  readonly turn: number;
  readonly turns: number;
  loss(batch: B, pass: Pass): Tensor;
}

/** A model and what batches teach it. */
export interface Task<B, M extends TrainedModel> {
  readonly model: M;
  /** The loss that training lowers, a scalar on the tape. */
  loss(batch: B, pass: Pass): Tensor;
  /**
   * The updates of a step on a batch, one after the other, as many in every step. The first one's loss is the step's.
   * Default one: all parameters, against `loss`.
   */
  updates?(batch: B): readonly Update<B>[];
  /** What a moving average of weights is kept of. Default all parameters. */
  readonly averaged?: readonly Parameter[];
  /** Judges the model on a batch; called where nothing is recorded. */
  measure(batch: B, pass: Pass): Promise<Measurement>;
  /** A batch as so many equal parts. @throws RangeError when it does not divide evenly. */
  parts(batch: B, parts: number): B[];
}

/** Where batches come from. */
export interface Feed<B> {
  /** What the speed counts. */
  readonly unit: Unit;
  /** So many of them in each training batch. */
  readonly perStep: number;
  /** The batch of step t ≥ 1: the same whenever it is asked for, so a resumed run sees what it would have seen. */
  training(t: number): B | Promise<B>;
  /** What the model is judged by between steps. */
  validation(): Iterable<B> | AsyncIterable<B>;
}

/** What a speed counts, in metrics and figures. */
export type Unit = "tokens" | "samples";

/** Speed in steps' metrics and a run's figures: `tokensPerSecond` or `samplesPerSecond`. */
export type Rate = { readonly [K in `${Unit}PerSecond`]?: number };

/** A speed under its name. */
export const rateOf = (unit: Unit, value: number): Rate => ({ [`${unit}PerSecond`]: value });

/** The speed among metrics or figures, whichever it counts. */
export const rateIn = ({ tokensPerSecond, samplesPerSecond }: Rate): number | undefined =>
  tokensPerSecond ?? samplesPerSecond;

/** Length of each of so many equal parts. @throws RangeError when they cannot be equal. */
export function partLength(rows: number, parts: number): number {
  if (rows % parts === 0) return rows / parts;
  throw new RangeError(`logrung: a batch of ${rows} does not divide into ${parts} equal parts`);
}
