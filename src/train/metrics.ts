/**
 * The metrics of a run: one line of JSON a step, appended. Reading tolerates a torn last line, which is what a
 * killed process leaves behind. Pure functions; `metrics-file.ts` writes.
 */
import { isJsonObject, parseNumbers, stringifyNumbers } from "./json.ts";

/** What one step tells. Only `step` is required; a reader ignores keys it does not know. */
export interface StepMetrics {
  /** Steps finished, counted from 1. */
  readonly step: number;
  /** Seconds of training so far, over all sessions of the run. */
  readonly seconds?: number;
  /** Training loss of this step's batch, in nats. */
  readonly loss?: number;
  /** Loss over the validation data after this step, where it was evaluated. */
  readonly validationLoss?: number;
  /** Share that the model got right there, for tasks that have one. */
  readonly validationAccuracy?: number;
  readonly learningRate?: number;
  readonly gradientNorm?: number;
  readonly tokensPerSecond?: number;
  readonly samplesPerSecond?: number;
  readonly [key: string]: number | boolean | undefined;
}

/** A line of `metrics.jsonl`, with its line break. NaN and infinities are kept. */
export function formatMetrics(metrics: StepMetrics): string {
  return `${stringifyNumbers(metrics)}\n`;
}

/** Metrics as read, and what had to be left out. */
export interface ReadMetrics {
  /** In the order of their steps; of two lines for one step the later stands, as resumed runs repeat steps. */
  readonly steps: readonly StepMetrics[];
  /** Whether the last line was cut off. */
  readonly torn: boolean;
}

/** A line in the middle of `metrics.jsonl` is not what a run writes. */
export class MetricsError extends Error {
  override readonly name = "MetricsError";
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;

  constructor(file: string, line: number, reason: string) {
    super(`logrung: "${file}" line ${line}: ${reason}`);
    this.file = file;
    this.line = line;
  }
}

/**
 * Reads `metrics.jsonl`.
 *
 * @throws MetricsError when a line other than a torn last one is no JSON object with a step.
 */
export function parseMetrics(text: string, file = "metrics.jsonl"): ReadMetrics {
  const lines = text.split("\n");
  const bySteps = new Map<number, StepMetrics>();
  let torn = false;
  for (const [index, line] of lines.entries()) {
    if (line === "") continue;
    const metrics = parseLine(line);
    if (metrics !== undefined) bySteps.set(metrics.step, metrics);
    else if (index === lines.length - 1) torn = true;
    else throw new MetricsError(file, index + 1, `not a JSON object with a step: ${line.slice(0, 60)}`);
  }
  return { steps: [...bySteps.values()].toSorted((a, b) => a.step - b.step), torn };
}

function parseLine(line: string): StepMetrics | undefined {
  try {
    const value = parseNumbers(line);
    return isJsonObject(value) && Number.isInteger(value.step) ? (value as StepMetrics) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
