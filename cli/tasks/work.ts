/** What a task lends to a training run: its data, its loop, and what it shows at the end. */
import type { LoopOptions, LoopResult } from "../../src/train/loop.ts";
import type { RunResult, RunSummary } from "../../src/train/run-summary.ts";
import type { Session } from "../session.ts";

/** A task whose data are there; its model is not made yet. */
export interface Prepared {
  /** What the data are called, in messages. */
  readonly name: string;
  /** Of all data that steps can see; a checkpoint keeps it, so that a run does not go on with others. */
  readonly sha256: string;
  /** What the run's folder keeps of a tokeniser, by file name. Empty where there is none. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  open(): Promise<Work>;
}

/** What a run shows besides figures. */
export type Shown = Pick<RunSummary, "sample" | "images" | "attention">;

/** A task at work. */
export interface Work {
  readonly session: Session;
  /** Sizes of the model, for the line that describes it. */
  readonly sizes: string;
  /** A line about the data. */
  readonly data: string;
  /** @param folder  the run's, for what a task writes there on the way. */
  loop(options: LoopOptions, folder: string): Promise<LoopResult>;
  /** The figures of the task: its validation and its speed. */
  figures(result: LoopResult): Pick<RunResult, "validation" | "tokensPerSecond" | "samplesPerSecond">;
  /** Called with the weights that the model is judged by; shorter where the user stops it. */
  show(signal: AbortSignal): Promise<Shown>;
}
