/** What a run has to show at its end: the content of `summary.json`. */
import type { LadderHistogram } from "./ladder-histogram.ts";

/** The figures of a run, as `train --json` prints them. */
export interface RunResult {
  readonly run: string;
  readonly recipe: string;
  readonly optimizer: string;
  readonly precision: string;
  readonly steps: number;
  readonly seconds: number;
  /** Nats a symbol. */
  readonly trainLoss: number;
  readonly validation: { readonly loss: number; readonly perplexity?: number; readonly accuracy?: number };
  readonly tokensPerSecond: number;
  readonly parameters: number;
  /** Bytes held between steps for weights and optimiser state. */
  readonly stateBytes: number;
  readonly stateBytesPerParameter: number;
  readonly peakBytes: number;
}

/** Text the model wrote. */
export interface Sample {
  readonly prompt: string;
  /** What came after the prompt. */
  readonly text: string;
}

/** The weights of a group of tensors on their ladder. */
export interface LadderGroup extends LadderHistogram {
  /** `weights`, `embeddings`, or a tensor's name. */
  readonly group: string;
}

export interface RunSummary extends RunResult {
  readonly sample: Sample | null;
  /** Empty where no weights lie on a ladder. */
  readonly ladders: readonly LadderGroup[];
}
