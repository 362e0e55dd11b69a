/** The training loop: steps, validations, checkpoints, and an end that can be asked for at any time. */
import { sequentialBatches, trainingBatch } from "../data/batches.ts";
import type { Split } from "../data/corpus.ts";
import { breathe } from "./breathe.ts";
import { diagnose, DivergenceError } from "./divergence.ts";
import type { StepResult } from "./language-trainer.ts";
import type { LanguageTrainer } from "./language-trainer.ts";
import type { StepMetrics } from "./metrics.ts";

export interface LoopSpec {
  readonly trainer: LanguageTrainer;
  readonly data: Split;
  readonly seed: number;
  readonly steps: number;
  /** Windows a step. */
  readonly batch: number;
  readonly context: number;
  readonly evaluate: { readonly every: number; readonly batches: number };
  /** Steps between checkpoints; 0 only at the end. */
  readonly checkpointEvery: number;
  /** Where the run stands: 0 for a new one. */
  readonly start: {
    readonly step: number;
    readonly seconds: number;
    /** What the steps before told, for the figures of the whole run. Default none. */
    readonly metrics?: readonly StepMetrics[];
  };
  /** Aborted when the user wants to stop: the loop saves and returns. */
  readonly signal: AbortSignal;
  /** Called after every step, with the validation loss where one was due. */
  readonly onStep: (metrics: StepMetrics) => void;
  readonly save: (step: number, seconds: number) => Promise<void>;
}

export interface LoopResult {
  /** Steps done in all. */
  readonly step: number;
  readonly seconds: number;
  /** Whether all steps are done. */
  readonly finished: boolean;
  /** Mean training loss of the run's last steps, at most 50; NaN when there were none. */
  readonly trainLoss: number;
  /** Loss over the validation windows after the last step; absent when interrupted. */
  readonly validationLoss?: number;
  /** Training tokens over the time of the steps alone, median over the run's steps; NaN when there were none. */
  readonly tokensPerSecond: number;
}

const TRAIN_LOSS_STEPS = 50;

/**
 * Runs the steps that are left. Step t draws its batch from (seed, t), so a resumed run sees what an uninterrupted
 * one would have seen.
 *
 * @throws DivergenceError when a step or a validation is not finite, and whatever `save` and `onStep` throw.
 */
export async function trainingLoop(spec: LoopSpec): Promise<LoopResult> {
  const { trainer, steps, start, signal, evaluate } = spec;
  const began = performance.now();
  const seconds = (): number => start.seconds + (performance.now() - began) / 1000;
  const { metrics = [] } = start;
  const losses = metrics.flatMap(({ loss }) => loss ?? []);
  const rates = metrics.flatMap(({ tokensPerSecond }) => tokensPerSecond ?? []);
  let saved = start.step > 0 ? start.step : -1;
  let t = start.step;
  let validationLoss: number | undefined;
  const save = async (): Promise<void> => {
    if (saved !== t) await spec.save(t, seconds());
    saved = t;
  };
  // A checkpoint before the first step: a folder that cannot be written shows at once, not after hours.
  if (t === 0) await save();
  while (t < steps && !signal.aborted) {
    const { result, tokensPerSecond } = await oneStep(spec, t + 1);
    t++;
    losses.push(result.loss);
    rates.push(tokensPerSecond);
    const due = t === steps || (evaluate.every > 0 && t % evaluate.every === 0);
    validationLoss = due ? await validate(spec) : undefined;
    if (validationLoss !== undefined) trainer.observe(validationLoss);
    const measured = validationLoss === undefined ? {} : { validationLoss };
    spec.onStep({ step: t, seconds: seconds(), ...result, tokensPerSecond, ...measured });
    if (t === steps || (spec.checkpointEvery > 0 && t % spec.checkpointEvery === 0)) await save();
    await breathe();
  }
  await save();
  const finished = t === steps;
  if (finished && validationLoss === undefined) validationLoss = await validate(spec);
  return {
    step: t,
    seconds: seconds(),
    finished,
    trainLoss: mean(losses.slice(-TRAIN_LOSS_STEPS)),
    tokensPerSecond: median(rates),
    ...(finished && validationLoss !== undefined ? { validationLoss } : {}),
  };

  async function validate({ data, context, batch }: LoopSpec): Promise<number> {
    const batches = sequentialBatches(data.validation, { rows: batch, context, limit: evaluate.batches });
    const loss = await trainer.evaluate(batches);
    if (Number.isFinite(loss)) return loss;
    const diagnosis = await trainer.evaluating(() => diagnose(trainer.model.parameters, new Map()));
    throw new DivergenceError(t, `the validation loss is ${loss}`, diagnosis);
  }
}

async function oneStep(spec: LoopSpec, t: number): Promise<{ result: StepResult; tokensPerSecond: number }> {
  const { trainer, data, seed, batch: rows, context } = spec;
  const began = performance.now();
  const result = await trainer.step(trainingBatch(data.training, { seed, step: t, rows, context }), t);
  return { result, tokensPerSecond: (rows * context * 1000) / (performance.now() - began) };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
