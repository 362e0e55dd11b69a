/** What a run says about itself: at its start, and at its end. */
import type { Corpus } from "../src/data/corpus.ts";
import type { TensorPrecision } from "../src/precision/policy.ts";
import type { LoopResult } from "../src/train/loop.ts";
import { formatCount, formatDuration } from "../src/train/progress.ts";
import type { RunResult, Sample } from "../src/train/run-summary.ts";
import { printable } from "./printable.ts";
import type { Session } from "./session.ts";

/** The figures at the end of a run. Peak memory is the system's own measure of the process. */
export function summaryOf(session: Session, run: string, result: LoopResult): RunResult {
  const { config, policy, trainer } = session;
  const loss = result.validationLoss ?? Number.NaN;
  const { stateBytes, parameterCount: parameters } = trainer;
  return {
    run,
    recipe: config.recipe,
    optimizer: config.optimizer.name,
    precision: policy.name,
    steps: result.step,
    seconds: result.seconds,
    trainLoss: result.trainLoss,
    validation: { loss, perplexity: Math.exp(loss) },
    tokensPerSecond: result.tokensPerSecond,
    parameters,
    stateBytes,
    stateBytesPerParameter: stateBytes / parameters,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

const held = (precision: TensorPrecision | null): string =>
  precision === null ? "fp32" : `${precision.format} (${precision.rounding})`;

/** Lines for the start of a run: the model, what is held in which format and how many bytes that takes, the text. */
export function describeState(
  { config, policy, trainer, threads }: Session,
  corpus: Corpus,
  run: string,
): string[] {
  const { parameterCount: parameters, stateBytes } = trainer;
  const { name, layers, width, heads, context } = config.model;
  const perParameter = (stateBytes / parameters).toFixed(2);
  return [
    `run      ${run}`,
    `model    ${name}, ${formatCount(parameters)} parameters (${layers} layers, width ${width}, ${heads} heads, context ${context})`,
    `text     ${corpus.name}, ${formatCount(corpus.bytes.length)} bytes`,
    `update   ${config.optimizer.name}, weights ${held(policy.update)}, moments ${held(policy.moment.first)} and ${held(policy.moment.second)}`,
    ...(config.exempt.embeddings
      ? [`embeddings ${config.exempt.optimizer.name}, ${held(policy.embedding)}`]
      : []),
    `products activations ${held(policy.activation)}, errors ${held(policy.error)}, gradients ${held(policy.gradient)}`,
    `state    ${formatCount(stateBytes)} bytes, ${perParameter} a parameter (float32 AdamW: 12)`,
    `threads  ${threads}`,
  ];
}

/** The end of a run, for people: the sample, then the figures. */
export function resultLines(summary: RunResult, sample: Sample | null): string {
  const { validation, trainLoss, seconds, tokensPerSecond, stateBytesPerParameter, peakBytes, run } = summary;
  const lines = [
    ...(sample === null ? [] : [`--- sample ---`, printable(`${sample.prompt}${sample.text}`), `---`]),
    `validation loss ${validation.loss.toFixed(4)} (perplexity ${Math.exp(validation.loss).toFixed(3)}), training loss ${trainLoss.toFixed(4)}`,
    `${formatDuration(seconds)}, ${formatCount(tokensPerSecond)} tok/s, ${stateBytesPerParameter.toFixed(2)} bytes of state a parameter, peak memory ${formatCount(peakBytes)}B`,
    `run: ${run}`,
  ];
  return `${lines.join("\n")}\n`;
}
