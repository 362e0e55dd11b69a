/** What a run has to show at its end: the content of `summary.json`. */
import type { Policy } from "../precision/policy.ts";
import type { LadderHistogram } from "./ladder-histogram.ts";
import type { SpreadReport } from "./spread-report.ts";

/** The figures of a run, as `train --json` prints them. */
export interface RunResult {
  readonly run: string;
  readonly recipe: string;
  readonly optimizer: string;
  readonly precision: string;
  readonly steps: number;
  readonly seconds: number;
  /** In nats: of a symbol, of an image. */
  readonly trainLoss: number;
  readonly validation: { readonly loss: number; readonly perplexity?: number; readonly accuracy?: number };
  /** Of a language model. */
  readonly tokensPerSecond?: number;
  /** Of a model of images. */
  readonly samplesPerSecond?: number;
  readonly parameters: number;
  /** Bytes held between steps for weights and optimiser state. */
  readonly stateBytes: number;
  readonly stateBytesPerParameter: number;
  readonly peakBytes: number;
}

/** Bytes of what training holds, by what they are. */
export interface MemoryParts {
  /** Between steps: weights as stored, or the parts in their place, without scales; the model's buffers. */
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

/** An image that a classifier took for another class. */
export interface Mistake {
  /** Its class, and the one it was taken for. */
  readonly label: number;
  readonly found: number;
  /** What the model gave the wrong class. */
  readonly probability: number;
  /** Bytes [channels, height, width] as base64. */
  readonly pixels: string;
}

/** How a classifier did on its validation images. */
export interface ImageReport {
  readonly classes: readonly string[];
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Images by their class (row) and the class found (column). */
  readonly confusion: readonly (readonly number[])[];
  /** Those with the greatest wrong probabilities first. */
  readonly mistakes: readonly Mistake[];
}

/** One head's attention to an example. */
export interface HeadMap {
  /** The largest of its probabilities. */
  readonly top: number;
  /**
   * A byte a probability, 255 p / top, as base64. Texts: [tokens, tokens], a row for each query; images: [rows, columns] of
   * patches, as the class token sees them.
   */
  readonly shares: string;
  /** Mean entropy of the rows, -Σ p log₂ p, in bits. */
  readonly entropy: number;
  /** Mean probability of the token itself, of texts from the second token on. */
  readonly self: number;
  /** Of texts: mean probability of the token before and of the first token, from the second token on. */
  readonly previous?: number;
  readonly first?: number;
  /** Share of the probabilities above 2⁻²⁴ that the product with the values reads as 0. */
  readonly flushed: number;
}

/** Attention to a text. */
export interface TextAttention {
  /** What the example is. */
  readonly caption: string;
  readonly tokens: readonly string[];
  readonly causal: boolean;
  /** By layer, by head. */
  readonly maps: readonly (readonly HeadMap[])[];
}

/** What the class token of a vision transformer sees of an image. */
export interface ImageAttention {
  readonly caption: string;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Bytes [channels, height, width] as base64. */
  readonly pixels: string;
  /** Rows and columns of patches. */
  readonly grid: readonly [rows: number, columns: number];
  /** By layer, by head. */
  readonly maps: readonly (readonly HeadMap[])[];
}

/** What a transformer attends to, on a few validation examples. */
export interface AttentionReport {
  /** In the order of the forward pass, with the format that probabilities are multiplied in. */
  readonly layers: readonly { readonly name: string; readonly format: string }[];
  readonly texts: readonly TextAttention[];
  readonly images: readonly ImageAttention[];
}

/** The weights of a group of tensors on their ladder. */
export interface LadderGroup extends LadderHistogram {
  /** `weights`, `embeddings`, or a tensor's name. */
  readonly group: string;
  /** Where the same numbers were when training began. Absent where that is not known. */
  readonly initial?: Pick<LadderHistogram, "positive" | "negative">;
}

export interface RunSummary extends RunResult {
  /** Of a language model. */
  readonly sample: Sample | null;
  /** Of a classifier of images. */
  readonly images?: ImageReport;
  /** Of a transformer; absent for other models, and in runs of earlier versions. */
  readonly attention?: AttentionReport;
  /** The formats by role and layer. */
  readonly policy: Policy;
  readonly memory: MemoryParts;
  /** Empty where no weights lie on a ladder. */
  readonly ladders: readonly LadderGroup[];
  /** Absent in runs of earlier versions. */
  readonly spreads?: SpreadReport;
}
