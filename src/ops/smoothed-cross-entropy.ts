/** Cross entropy against softened targets: label smoothing, and two mixed classes. */
import { f32, index, select, type Value } from "../kernels/program.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { meanLoss, rowLossKernels, type RowLosses } from "./row-losses.ts";

/** What a target is softened by. */
export interface Softening {
  /** s: share of the probability that is spread evenly over all classes. Default 0. */
  readonly smoothing?: number;
  /** The class each target is mixed with, [rows] int32, and λ, the share that the target itself keeps. Default none. */
  readonly mixture?: { readonly targets: Tensor; readonly share: number } | null;
}

/** Probability of a column's class under the softened target. */
function wanted(scope: Readonly<Record<string, Value>>): Value {
  const column = index("column").asI32();
  const own = select(column.eq(scope.target), scope.own, f32(0));
  const other = select(column.eq(scope.other), scope.mixed, f32(0));
  return own.add(other).add(scope.even);
}

const kernels = rowLossKernels({
  name: "smoothed cross entropy",
  targets: ["target", "other"],
  uniforms: { own: "f32", mixed: "f32", even: "f32" },
  reduce(program) {
    const { logits } = program.scope;
    const top = program.reduce("top", "max", logits);
    const { sum, picked } = program.reduceAll({
      sum: { op: "sum", value: logits.sub(top).exp() },
      picked: { op: "sum", value: logits.sub(top).mul(wanted(program.scope)) },
    });
    const logSum = sum.log();
    return { logSum: logSum.add(top), loss: logSum.sub(picked) };
  },
  wanted,
});

/**
 * Losses of each row against softened targets.
 *
 * @param targets  [rows], int32
 * @throws RangeError when s is outside [0, 1) or λ outside [0, 1].
 */
export function smoothedCrossEntropies(
  targets: Tensor,
  classes: number,
  { smoothing = 0, mixture = null }: Softening,
): RowLosses {
  if (!(smoothing >= 0 && smoothing < 1))
    throw new RangeError(`logrung: label smoothing of ${smoothing}, wants 0 <= s < 1`);
  const kept = mixture?.share ?? 1;
  if (!(kept >= 0 && kept <= 1)) throw new RangeError(`logrung: a mixture's share of ${kept}, wants 0 to 1`);
  return {
    kernels,
    targets: { target: targets, other: mixture?.targets ?? targets },
    uniforms: {
      own: (1 - smoothing) * kept,
      mixed: (1 - smoothing) * (1 - kept),
      even: smoothing / classes,
    },
  };
}

/**
 *   q = (1 - s) (λ onehot(target) + (1 - λ) onehot(other)) + s / classes
 *   L = mean over rows of -Σⱼ qⱼ log softmax(logits)ⱼ;   dlogits = (softmax(logits) - q) / rows
 *
 * In nats. Its least value is the entropy of q, not 0.
 *
 * @param logits   [rows, classes]
 * @param targets  [rows], int32 in 0 … classes-1
 * @returns a scalar, shape [1].
 * @throws RangeError when s is outside [0, 1) or λ outside [0, 1].
 * @source Szegedy et al. 2016, Rethinking the inception architecture, section 7; Zhang et al. 2018, mixup, equation 1.
 */
export function smoothedCrossEntropy(logits: Tensor, targets: Tensor, softening: Softening): Tensor {
  expectShape("smoothedCrossEntropy", logits, null, null);
  expectShape("smoothedCrossEntropy's targets", targets, logits.shape[0]);
  return meanLoss(logits, smoothedCrossEntropies(targets, logits.shape[1], softening));
}
