/** Batch normalisation over the rows of a matrix: for images [pixels of the batch, channels]. */
import { columns } from "../kernels/columns.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perColumn } from "../kernels/signature.ts";
import { constantRow } from "../tensor/constants.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { saveInput } from "./saved.ts";

/** What is remembered of batches for evaluation: mean and variance of each channel, [channels] float32 each. */
export interface RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

export interface BatchNormOptions {
  /** Normalises by the batch and updates the running statistics; otherwise by these, which stay. */
  readonly training: boolean;
  /** Share of a new batch in the running statistics. Default 0.1, PyTorch's. */
  readonly momentum?: number;
  /** ε; default 1e-5. */
  readonly epsilon?: number;
}

const batchMean = columns(
  "batch norm mean",
  { x: element("f32") },
  { share: "f32" },
  ({ x }) => ({ sum: { op: "sum", value: x } }),
  ({ share }, { sum }) => ({ mean: output("f32", sum.mul(share)) }),
);

const batchVariance = columns(
  "batch norm variance",
  { x: element("f32"), mean: perColumn("f32") },
  { share: "f32" },
  ({ x, mean }) => ({ squares: { op: "sum", value: x.sub(mean).mul(x.sub(mean)) } }),
  ({ share }, { squares }) => ({ variance: output("f32", squares.mul(share)) }),
);

const normalise = pointwise(
  "batch norm",
  { x: element("f32"), mean: perColumn("f32"), variance: perColumn("f32"), gain: perColumn("f32"), bias: perColumn("f32") },
  { epsilon: "f32" },
  ({ x, mean, variance, gain, bias, epsilon }) => {
    const scale = variance.add(epsilon).sqrt().reciprocal();
    return { y: output("f32", x.sub(mean).mul(scale).fma(gain, bias)) };
  },
); // prettier-ignore

const normaliseOnly = pointwise(
  "batch norm without affine",
  { x: element("f32"), mean: perColumn("f32"), variance: perColumn("f32") },
  { epsilon: "f32" },
  ({ x, mean, variance, epsilon }) => ({
    y: output("f32", x.sub(mean).mul(variance.add(epsilon).sqrt().reciprocal())),
  }),
);

const sums = columns(
  "batch norm parameter gradient",
  { x: element("f32"), dy: element("f32"), mean: perColumn("f32"), variance: perColumn("f32") },
  { epsilon: "f32" },
  ({ x, dy, mean, variance, epsilon }) => ({
    gain: { op: "sum", value: dy.mul(x.sub(mean).mul(variance.add(epsilon).sqrt().reciprocal())) },
    bias: { op: "sum", value: dy },
  }),
  (_, { gain, bias }) => ({ gain: output("f32", gain), bias: output("f32", bias) }),
);

/** dx; `through` is 1 where mean and variance are the batch's own and so depend on x, else 0. */
const gradientInputs = {
  x: element("f32"), dy: element("f32"), mean: perColumn("f32"), variance: perColumn("f32"),
  sumGain: perColumn("f32"), sumBias: perColumn("f32"), gain: perColumn("f32"),
} as const; // prettier-ignore
const inputGradient = pointwise(
  "batch norm gradient",
  gradientInputs,
  { epsilon: "f32", share: "f32" },
  ({ x, dy, mean, variance, sumGain, sumBias, gain, epsilon, share }) => {
    const scale = variance.add(epsilon).sqrt().reciprocal();
    const normal = x.sub(mean).mul(scale);
    const pulled = dy.sub(sumBias.mul(share)).sub(normal.mul(sumGain.mul(share)));
    return { dx: output("f32", pulled.mul(scale).mul(gain)) };
  },
);

const remember = pointwise(
  "running statistics",
  { before: element("f32"), now: element("f32") },
  { share: "f32", unbiased: "f32" },
  ({ before, now, share, unbiased }) => ({
    y: output("f32", now.mul(unbiased).sub(before).fma(share, before)),
  }),
);

/** before ← before + share (now · unbiased - before), in place. */
function update(before: Tensor, now: Tensor, share: number, unbiased: number): void {
  const sizes = { rows: 1, columns: before.shape[0] };
  const uniforms = { share, unbiased };
  before.device.run(remember, { inputs: { before, now }, outputs: { y: before }, uniforms, sizes });
}

/**
 *   y = (x - mean) / √(variance + ε) · gain + bias, of each column
 *
 * In training mean and variance are the batch's (variance with 1/n), and the running ones move towards them (with
 * 1/(n-1)): r ← r + momentum (batch - r).
 *
 * @param x       [rows, channels]
 * @param affine  gain and bias, [channels] each; null for none (the Madam paper's networks).
 * @param precision  in which format x is kept for the backward pass, mean and variance in float32; default as it is.
 * @source Ioffe and Szegedy 2015, Batch normalization.
 */
export function batchNorm(
  x: Tensor,
  affine: { readonly gain: Tensor; readonly bias: Tensor } | null,
  running: RunningStatistics,
  { training, momentum = 0.1, epsilon = 1e-5 }: BatchNormOptions,
  precision: LayerPrecision | null = null,
): Tensor {
  expectShape("batchNorm", x, null, running.mean.shape[0]);
  const { device } = x;
  const [rows, channels] = x.shape;
  const sizes = { rows, columns: channels };
  const share = { share: 1 / rows };
  const batch = training
    ? { mean: device.empty([channels]), variance: device.empty([channels]) }
    : { mean: running.mean, variance: running.variance };
  if (training) {
    const { mean, variance } = batch;
    device.run(batchMean, { inputs: { x }, outputs: { mean }, uniforms: share, sizes });
    device.run(batchVariance, { inputs: { x, mean }, outputs: { variance }, uniforms: share, sizes });
    if (!device.tape.replaying) {
      update(running.mean, mean, momentum, 1);
      update(running.variance, variance, momentum, rows / Math.max(1, rows - 1));
    }
  }
  const y = device.empty(x.shape);
  const uniforms = { epsilon };
  if (affine) {
    device.run(normalise, { inputs: { x, ...batch, ...affine }, outputs: { y }, uniforms, sizes });
  } else device.run(normaliseOnly, { inputs: { x, ...batch }, outputs: { y }, uniforms, sizes });
  const inputs = affine ? [x, affine.gain, affine.bias] : [x];
  const kept = saveInput(x, precision);
  const saved = training ? [...kept.made, batch.mean, batch.variance] : kept.made;
  const backward = (dy: Tensor, values: Tensor): Tensor[] => {
    const [gain, bias] = [device.empty([channels]), device.empty([channels])];
    device.run(sums, { inputs: { x: values, dy, ...batch }, outputs: { gain, bias }, uniforms, sizes });
    const factor = affine?.gain ?? constantRow(device, 1, channels);
    const dx = device.empty(x.shape);
    device.run(inputGradient, {
      inputs: { x: values, dy, ...batch, sumGain: gain, sumBias: bias, gain: factor },
      outputs: { dx },
      uniforms: { epsilon, share: training ? 1 / rows : 0 },
      sizes,
    });
    if (affine) return [dx, gain, bias];
    for (const tensor of [gain, bias]) device.free(tensor);
    return [dx];
  };
  const vjp = (dy: Tensor): Tensor[] => kept.use((values) => backward(dy, values));
  return device.tape.record(inputs, y, saved, vjp, kept.reads);
}
