/** The last layer of a model of symbols: logits, or their loss without the logits as a whole. */
import { judgedCrossEntropy, type Judged } from "../ops/judged-cross-entropy.ts";
import { linearRows } from "../ops/linear-chunks.ts";
import { linear } from "../ops/linear.ts";
import { linearCrossEntropy } from "../ops/linear-cross-entropy.ts";
import type { RowRange } from "../ops/matrix-rows.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { last } from "./layers.ts";
import { precisionAt, type Pass } from "./pass.ts";

/** logits = x · weightᵀ + bias. The weight may be another layer's (tied weights). */
export interface OutputLayer {
  /** As policies name it. */
  readonly name: string;
  /** [vocabulary, width] */
  readonly weight: Tensor;
  /** [vocabulary] or null */
  readonly bias: Tensor | null;
}

/** @param x  [n, width], which nothing reads afterwards. @returns [n, vocabulary] */
export function outputLogits(x: Tensor, { name, weight, bias }: OutputLayer, pass: Pass): Tensor {
  pass.watch?.(name, x);
  return last(x, (input) => linear(input, weight, bias, precisionAt(pass, name)));
}

/**
 * The rows of {@link outputLogits} that are asked for, to the bit; not recorded on the tape.
 *
 * @returns [count, vocabulary]
 */
export function outputRows(
  x: Tensor,
  { name, weight, bias }: OutputLayer,
  range: RowRange,
  pass: Pass,
): Tensor {
  return linearRows({ x, w: weight, b: bias }, precisionAt(pass, name), range);
}

/**
 * Mean cross entropy of the symbols that follow, [1]: see `linearCrossEntropy`.
 *
 * @param x        [n, width], which nothing reads afterwards.
 * @param targets  [n], int32
 */
export function outputLoss(
  x: Tensor,
  { name, weight, bias }: OutputLayer,
  targets: Tensor,
  pass: Pass,
): Tensor {
  pass.watch?.(name, x);
  return last(x, (input) => linearCrossEntropy(input, weight, bias, targets, precisionAt(pass, name)));
}

/** The same, and which targets are the likeliest symbols; not recorded on the tape. */
export function outputJudged(
  x: Tensor,
  { name, weight, bias }: OutputLayer,
  targets: Tensor,
  pass: Pass,
): Judged {
  return judgedCrossEntropy({ x, w: weight, b: bias }, targets, precisionAt(pass, name));
}
