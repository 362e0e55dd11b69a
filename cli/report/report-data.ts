/** What a report shows. */
import { basename } from "node:path";
import type { JsonObject } from "../../src/train/json.ts";
import type { StepMetrics } from "../../src/train/metrics.ts";
import {
  readRunConfig,
  readRunMetrics,
  readRunSessions,
  readRunSummary,
} from "../../src/train/run-folder.ts";
import type { RunSummary } from "../../src/train/run-summary.ts";
import { samplePictures, type SamplePicture } from "../sample-pictures.ts";

/** One run, as it lies in its folder. */
export interface ReportRun {
  readonly name: string;
  readonly config: JsonObject;
  /** Where it ran, oldest session first. */
  readonly sessions: readonly JsonObject[];
  readonly steps: readonly StepMetrics[];
  /** Figures, sample and ladders; undefined parts where the run has not ended. */
  readonly summary: Partial<RunSummary>;
  /** Pictures of what a generator makes, oldest first. Default none. */
  readonly pictures?: readonly SamplePicture[];
}

/** One run, or several to compare. */
export interface ReportData {
  readonly title: string;
  readonly runs: readonly ReportRun[];
}

/**
 * Reads a run's folder.
 *
 * @throws RunFolderError when it is no run, MetricsError, FileError.
 */
export async function readReportRun(folder: string): Promise<ReportRun> {
  const config = await readRunConfig(folder);
  const [sessions, metrics, summary] = await Promise.all([
    readRunSessions(folder),
    readRunMetrics(folder),
    readRunSummary(folder),
  ]);
  const { steps } = metrics;
  const pictures = await samplePictures(folder, steps.at(-1)?.step ?? 0);
  return { name: basename(folder), config, sessions, steps, summary: summary ?? {}, pictures };
}
