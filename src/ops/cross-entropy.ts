/** Mean cross entropy of logits against class numbers. */
import { f32, index, select, type Value } from "../kernels/program.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { meanLoss, rowLossKernels, type RowLosses } from "./row-losses.ts";

const isTarget = (target: Value): Value => index("column").asI32().eq(target);

const kernels = rowLossKernels({
  name: "cross entropy",
  targets: ["target"],
  uniforms: {},
  reduce(program) {
    const { logits, target } = program.scope;
    const top = program.reduce("top", "max", logits);
    const { sum, picked } = program.reduceAll({
      sum: { op: "sum", value: logits.sub(top).exp() },
      picked: { op: "sum", value: select(isTarget(target), logits, f32(0)) },
    });
    const logSum = sum.log().add(top);
    return { logSum, loss: logSum.sub(picked) };
  },
  wanted: ({ target }) => select(isTarget(target), f32(1), f32(0)),
});

/** Losses of each row: -log softmax(logits)[target]. @param targets  [rows], int32. */
export const crossEntropies = (targets: Tensor): RowLosses => ({
  kernels,
  targets: { target: targets },
  uniforms: {},
});

/**
 *   L = mean over rows of ( log Σⱼ exp(logitsⱼ) - logits[target] );   dlogits = (softmax(logits) - onehot) / rows
 *
 * In nats. The gradient is computed from the logits and the rows' log-sums; no probabilities are kept.
 *
 * @param logits   [rows, classes]
 * @param targets  [rows], int32 in 0 … classes-1
 * @returns a scalar, shape [1].
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  expectShape("crossEntropy", logits, null, null);
  expectShape("crossEntropy's targets", targets, logits.shape[0]);
  return meanLoss(logits, crossEntropies(targets));
}
