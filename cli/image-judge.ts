/** Networks in whose features images are compared. */
import type { ImageSet } from "../src/data/image-set.ts";
import type { InceptionMeasure } from "../src/models/inception-weights.ts";
import type { Gaussian } from "../src/train/frechet-distance.ts";
import type { TextOutput } from "./command.ts";

/** What the distance in a network's features is. */
export interface JudgeDescription {
  /** `FID` in the features of Inception's weights of 2015 alone. */
  readonly measure: InceptionMeasure;
  /** Whose features they are, for people. */
  readonly network: string;
  /** The run or the checkpoint's file. */
  readonly features: string;
  /** Of a run: the step of its checkpoint. */
  readonly step?: number;
}

/** A network that looks at images. Close it when done. */
export interface ImageJudge {
  readonly description: JudgeDescription;
  /** Mean and covariance of its features. @param what  the images' name, for progress. */
  moments(set: ImageSet, what: string): Promise<Gaussian>;
  close(): Promise<void>;
}

/** What a judge may use and tell. */
export interface JudgeContext {
  readonly stderr: TextOutput;
  readonly signal: AbortSignal;
}
