/** What a run says about itself: at its start, and at its end. */
import { describePolicy } from "../src/precision/describe-policy.ts";
import { peakResidentBytes } from "../src/io/process-memory.ts";
import type { LoopResult } from "../src/train/loop.ts";
import { formatCount, formatDuration } from "../src/train/progress.ts";
import type { MemoryParts, RunResult, RunSummary } from "../src/train/run-summary.ts";
import { printable } from "./printable.ts";
import type { TrainConfig } from "./config/resolve.ts";
import type { Session } from "./session.ts";
import type { Work } from "./tasks/work.ts";

/** The figures at the end of a run. Peak memory is the system's own measure of the process, caches and code included. */
export function summaryOf(work: Work, run: string, result: LoopResult): RunResult {
  const { config, policy, trainer } = work.session;
  const { stateBytes, parameterCount: parameters } = trainer;
  return {
    run,
    recipe: config.recipe,
    optimizer: config.optimizer.name,
    precision: policy.name,
    steps: result.step,
    seconds: result.seconds,
    trainLoss: result.trainLoss,
    ...work.figures(result),
    parameters,
    stateBytes,
    stateBytesPerParameter: stateBytes / parameters,
    peakBytes: peakResidentBytes(),
  };
}

/** `weights 1,024, moments 2,048, scales 64`, and what a step keeps for its backward pass where it is known. */
function memoryLine({ weights, moments, scales, activations }: MemoryParts): string {
  const parts = { weights, moments, scales, ...(activations === null ? {} : { activations }) };
  return Object.entries(parts)
    .map(([part, bytes]) => `${part} ${formatCount(bytes)}${bytes < 999.5 ? " " : ""}B`)
    .join(", ");
}

/** Lines for the start of a run: the model, what is held in which format and how many bytes that takes, the data. */
export function describeState({ session, sizes, data }: Work, run: string): string[] {
  const { config, policy, trainer, threads } = session;
  const { parameterCount: parameters, stateBytes, memory } = trainer;
  const [formats, ...overrides] = describePolicy(policy);
  const perParameter = (stateBytes / parameters).toFixed(2);
  return [
    `run      ${run}`,
    `model    ${config.model.name}, ${formatCount(parameters)} parameters (${sizes})`,
    data,
    `update   ${config.optimizer.name}, biases and norms${config.exempt.embeddings ? " and embeddings" : ""} ${config.exempt.optimizer.name}`,
    ...config.groups.map(
      ({ pattern, optimizer }) => `group    ${pattern}: ${optimizer.name}, lr ${optimizer.lr}`,
    ),
    `schedule ${describeSchedule(config)}`,
    ...(config.average.decay > 0
      ? [`average  of weights, decay ${config.average.decay}, ${config.average.format}`]
      : []),
    `formats  ${formats}`,
    ...overrides.map((line) => `layers   ${line}`),
    `state    ${formatCount(stateBytes)} bytes, ${perParameter} a parameter (float32 AdamW: 12): ${memoryLine(memory)}`,
    `threads  ${threads}`,
  ];
}

function describeSchedule({
  schedule,
  optimizer,
  gradientClip,
  gradientClipValue,
  accumulate,
  samples,
}: TrainConfig): string {
  return [
    `${schedule.name} from lr ${optimizer.lr}`,
    schedule.warmup > 0 ? `warm-up over ${Number((100 * schedule.warmup).toFixed(3))} % of the steps` : "",
    gradientClip > 0 ? `gradients clipped to norm ${gradientClip}` : "",
    gradientClipValue > 0 ? `to values of ${gradientClipValue}` : "",
    accumulate > 1 ? `batches in ${accumulate} parts` : "",
    samples > 1 ? `${samples} draws of the weights a step` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

/** What a user should know before a run goes on for hours: weights that can never move. */
export function warnings({ trainer }: Session): string[] {
  const stuck = trainer.groups.flatMap(({ immovable }) => immovable);
  if (stuck.length === 0) return [];
  const names = stuck.map(({ name, zeros, of }) =>
    zeros === of ? name : `${name} (${zeros} of ${of} weights)`,
  );
  return [
    `warning: zeros that a multiplicative rule can never move: ${names.join(", ")}; ` +
      `zeros=redraw, floor or exempt are remedies`,
  ];
}

/** A share, `91.3 %`. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** ` (perplexity 12.3, accuracy 91.30 %)`; nothing where the task measures no more than a loss. */
function qualityOf({ perplexity, accuracy }: RunResult["validation"]): string {
  const measures = [
    ...(perplexity === undefined ? [] : [`perplexity ${perplexity.toFixed(3)}`]),
    ...(accuracy === undefined ? [] : [`accuracy ${(100 * accuracy).toFixed(2)} %`]),
  ];
  return measures.length === 0 ? "" : ` (${measures.join(", ")})`;
}

const speedOf = ({ tokensPerSecond, samplesPerSecond }: RunResult): string =>
  samplesPerSecond === undefined
    ? `${formatCount(tokensPerSecond ?? Number.NaN)} tok/s`
    : `${formatCount(samplesPerSecond)} samples/s`;

/** The end of a run, for people: the sample, then the figures. */
export function resultLines(
  summary: RunResult,
  { sample, policy, memory }: Pick<RunSummary, "sample" | "policy" | "memory">,
): string {
  const { validation, trainLoss, seconds, stateBytesPerParameter, peakBytes, run } = summary;
  const lines = [
    ...(sample === null ? [] : [`--- sample ---`, printable(`${sample.prompt}${sample.text}`), `---`]),
    `validation loss ${validation.loss.toFixed(4)}${qualityOf(validation)}, training loss ${trainLoss.toFixed(4)}`,
    `${formatDuration(seconds)}, ${speedOf(summary)}, ${stateBytesPerParameter.toFixed(2)} bytes of state a parameter, peak memory ${formatCount(peakBytes)}B`,
    ...describePolicy(policy).map((line) => `formats ${line}`),
    `bytes ${memoryLine(memory)}`,
    `run: ${run}`,
  ];
  return `${lines.join("\n")}\n`;
}
