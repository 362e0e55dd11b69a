/** What a run has to show at its end: the content of `summary.json`. */
import type { Policy } from "../precision/policy.ts";
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

/** Bytes of what training holds, by what they are. */
export interface MemoryParts {
  /** Between steps: weights as stored, without their scales. */
  readonly weights: number;
  /** Between steps: the optimiser's moments. */
  readonly moments: number;
  /** Between steps: scales and bounds of weights. */
  readonly scales: number;
  /**
   * Within a step: all that the forward pass leaves for the backward pass, scales too, the batch and the logits among
   * it. Null before the first step.
   */
  readonly activations: number | null;
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
  /** The formats by role and layer. */
  readonly policy: Policy;
  readonly memory: MemoryParts;
  /** Empty where no weights lie on a ladder. */
  readonly ladders: readonly LadderGroup[];
}
