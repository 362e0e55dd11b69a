/** Mean cross entropy of logits against class numbers. */
import { f32, index, select } from "../kernels/program.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perRow, scalar } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { mean } from "./mean.ts";

const forward = rows("cross entropy", { logits: element("f32"), target: perRow("i32") }, {}, (program) => {
  const { logits, target } = program.scope;
  const top = program.reduce("top", "max", logits);
  const here = index("column").asI32().eq(target);
  const { sum, picked } = program.reduceAll({
    sum: { op: "sum", value: logits.sub(top).exp() },
    picked: { op: "sum", value: select(here, logits, f32(0)) },
  });
  const logSum = sum.log().add(top);
  program.perRow.logSum = output("f32", logSum);
  program.perRow.loss = output("f32", logSum.sub(picked));
});

const gradient = rows(
  "cross entropy gradient",
  { logits: element("f32"), target: perRow("i32"), logSum: perRow("f32"), dy: scalar("f32") },
  { share: "f32" },
  (program) => {
    const { logits, target, logSum, dy, share } = program.scope;
    const probability = logits.sub(logSum).exp();
    const here = index("column").asI32().eq(target);
    const dx = probability.sub(select(here, f32(1), f32(0))).mul(dy.mul(share));
    program.store({ dx: output("f32", dx) });
  },
);

/**
 * Losses of each row: -log softmax(logits)[target].
 *
 * @param logits   [rows, classes]
 * @param targets  [rows], int32 in 0 … classes-1
 * @returns [rows]; not recorded on the tape.
 */
export function crossEntropyRows(logits: Tensor, targets: Tensor): { loss: Tensor; logSum: Tensor } {
  expectShape("crossEntropy", logits, null, null);
  expectShape("crossEntropy's targets", targets, logits.shape[0]);
  const { device } = logits;
  const sizes = { rows: logits.shape[0], columns: logits.shape[1] };
  const [loss, logSum] = [device.empty([sizes.rows]), device.empty([sizes.rows])];
  device.run(forward, { inputs: { logits, target: targets }, outputs: { loss, logSum }, sizes });
  return { loss, logSum };
}

/**
 *   L = mean over rows of ( log Σⱼ exp(logitsⱼ) - logits[target] );   dlogits = (softmax(logits) - onehot) / rows
 *
 * In nats. The gradient is computed from the logits and the rows' log-sums; no probabilities are kept.
 *
 * @returns a scalar, shape [1].
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  const { device } = logits;
  const sizes = { rows: logits.shape[0], columns: logits.shape[1] };
  const { loss, logSum } = crossEntropyRows(logits, targets);
  const average = mean(loss);
  device.free(loss);
  return device.tape.record([logits], average, [logSum], (dy, _, spent) => {
    const dx = spent(logits) ? { ...logits, tracked: false } : device.empty(logits.shape);
    const inputs = { logits, target: targets, logSum, dy };
    device.run(gradient, { inputs, outputs: { dx }, uniforms: { share: 1 / sizes.rows }, sizes });
    return [dx];
  });
}
