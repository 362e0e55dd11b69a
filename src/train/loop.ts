/** The training loop: steps, validations, checkpoints, and an end that can be asked for at any time. */
import { breathe } from "./breathe.ts";
import { diagnose, DivergenceError } from "./divergence.ts";
import type { StepMetrics } from "./metrics.ts";
import { rateIn, rateOf, type Evaluation, type Feed, type TrainedModel } from "./task.ts";
import type { StepResult, Trainer } from "./trainer.ts";

/** How long and how watched a run is, whatever the task. */
export interface LoopOptions {
  readonly steps: number;
  /** Steps between validations; 0 only at the end. */
  readonly evaluateEvery: number;
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
  /** Called after every step, with the validation's figures where one was due. */
  readonly onStep: (metrics: StepMetrics) => void;
  readonly save: (step: number, seconds: number) => Promise<void>;
}

/** What a task does besides: pictures of its progress. */
export type AfterStep = (step: number) => Promise<void>;

export interface LoopSpec<B, M extends TrainedModel> extends LoopOptions {
  readonly trainer: Trainer<B, M>;
  readonly feed: Feed<B>;
  /** Called after every step, before its checkpoint. Default nothing. */
  readonly afterStep?: AfterStep;
}

export interface LoopResult {
  /** Steps done in all. */
  readonly step: number;
  readonly seconds: number;
  /** Whether all steps are done. */
  readonly finished: boolean;
  /** Mean training loss of the run's last steps, at most 50; NaN when there were none. */
  readonly trainLoss: number;
  /** The validation after the last step; absent when interrupted. */
  readonly validation?: Evaluation;
  /** Training tokens or images over the time of the steps alone, median over the run's steps; NaN when there were none. */
  readonly rate: number;
}

const TRAIN_LOSS_STEPS = 50;

/**
 * Runs the steps that are left. Step t takes batch t of the feed, so a resumed run sees what an uninterrupted one
 * would have seen.
 *
 * @throws DivergenceError when a step or a validation is not finite, and whatever `save` and `onStep` throw.
 */
export async function trainingLoop<B, M extends TrainedModel>(spec: LoopSpec<B, M>): Promise<LoopResult> {
  const { trainer, feed, steps, start, signal, evaluateEvery } = spec;
  const began = performance.now();
  const seconds = (): number => start.seconds + (performance.now() - began) / 1000;
  const { metrics = [] } = start;
  const losses = metrics.flatMap(({ loss }) => loss ?? []);
  const rates = metrics.flatMap((step) => rateIn(step) ?? []);
  let saved = start.step > 0 ? start.step : -1;
  let t = start.step;
  let validation: Evaluation | undefined;
  const save = async (): Promise<void> => {
    if (saved !== t) await spec.save(t, seconds());
    saved = t;
  };
  // A checkpoint before the first step: a folder that cannot be written shows at once, not after hours.
  if (t === 0) await save();
  while (t < steps && !signal.aborted) {
    const { result, rate } = await oneStep(spec, t + 1);
    t++;
    losses.push(result.loss);
    rates.push(rate);
    const due = t === steps || (evaluateEvery > 0 && t % evaluateEvery === 0);
    validation = due ? await validate() : undefined;
    if (validation !== undefined) trainer.observe(validation.loss);
    const { losses: byName = {}, ...measuredStep } = result;
    spec.onStep({
      step: t,
      seconds: seconds(),
      ...measuredStep,
      ...namedLosses(byName),
      ...rateOf(feed.unit, rate),
      ...measured(validation),
    });
    await spec.afterStep?.(t);
    if (t === steps || (spec.checkpointEvery > 0 && t % spec.checkpointEvery === 0)) await save();
    await breathe();
  }
  await save();
  const finished = t === steps;
  if (finished && validation === undefined) validation = await validate();
  return {
    step: t,
    seconds: seconds(),
    finished,
    trainLoss: mean(losses.slice(-TRAIN_LOSS_STEPS)),
    rate: median(rates),
    ...(finished && validation !== undefined ? { validation } : {}),
  };

  async function validate(): Promise<Evaluation> {
    const found = await trainer.evaluate(feed.validation());
    if (Number.isFinite(found.loss)) return found;
    const diagnosis = await trainer.evaluating(() => diagnose(trainer.model.parameters, new Map()));
    throw new DivergenceError(t, `the validation loss is ${found.loss}`, diagnosis);
  }
}

/** A validation as metrics of its step. */
function measured(
  validation: Evaluation | undefined,
): Pick<StepMetrics, "validationLoss" | "validationAccuracy"> {
  if (validation === undefined) return {};
  const { loss, accuracy } = validation;
  return { validationLoss: loss, ...(accuracy === undefined ? {} : { validationAccuracy: accuracy }) };
}

/** Losses of the updates of a step as metrics: `generatorLoss`. */
const namedLosses = (losses: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(losses).map(([name, loss]) => [`${name}Loss`, loss]));

/** The time of a step is that of making its batch, too. */
async function oneStep<B, M extends TrainedModel>(
  { trainer, feed }: LoopSpec<B, M>,
  t: number,
): Promise<{ result: StepResult; rate: number }> {
  const began = performance.now();
  const result = await trainer.step(await feed.training(t), t);
  return { result, rate: (feed.perStep * 1000) / (performance.now() - began) };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
