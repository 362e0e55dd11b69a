/** A gain and a bias for each channel of each image: what conditional batch norm is made of. */
import { columns } from "../kernels/columns.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perBlock } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import { pixelsOf, type ImageShape } from "./conv-geometry.ts";
import type { LayerPrecision } from "./operand.ts";
import { saveInput } from "./saved.ts";

const forward = pointwise(
  "conditional affine",
  { x: element("f32"), gain: perBlock("f32"), bias: perBlock("f32") },
  {},
  ({ x, gain, bias }) => ({ y: output("f32", x.fma(gain.add(1), bias)) }),
);

const inputGradient = pointwise(
  "conditional affine gradient",
  { dy: element("f32"), gain: perBlock("f32") },
  {},
  ({ dy, gain }) => ({ dx: output("f32", dy.mul(gain.add(1))) }),
);

const parameterGradient = columns(
  "conditional affine parameter gradient",
  { x: element("f32"), dy: element("f32") },
  {},
  ({ x, dy }) => ({ gain: { op: "sum", value: dy.mul(x) }, bias: { op: "sum", value: dy } }),
  (_, { gain, bias }) => ({ gain: output("f32", gain), bias: output("f32", bias) }),
);

/**
 *   y[n, p, c] = x[n, p, c] · (1 + gain[n, c]) + bias[n, c]
 *   dx = dy (1 + gain),  dgain[n, c] = Σ dy x,  dbias[n, c] = Σ dy over the pixels p of image n
 *
 * After `batchNorm` without affine it is conditional batch norm: gain and bias are looked up by class (`embedding`), or
 * computed from class and noise.
 *
 * @param x     [batch · height · width, channels]
 * @param gain  [batch, channels], 0 leaving x as it is
 * @param bias  [batch, channels]
 * @param precision  in which format x is kept for the backward pass; default as it is.
 * @source De Vries et al. 2017, Modulating early visual processing by language.
 */
export function conditionalAffine(
  x: Tensor,
  shape: ImageShape,
  gain: Tensor,
  bias: Tensor,
  precision: LayerPrecision | null = null,
): Tensor {
  const { batch, height, width, channels } = shape;
  expectShape("conditionalAffine", x, pixelsOf(shape), channels);
  expectShape("conditionalAffine's gain", gain, batch, channels);
  expectShape("conditionalAffine's bias", bias, batch, channels);
  const { device } = x;
  const sizes = { outer: batch, rows: height * width, columns: channels };
  const y = device.empty(x.shape);
  device.run(forward, { inputs: { x, gain, bias }, outputs: { y }, sizes });
  const kept = saveInput(x, precision);
  const vjp = (dy: Tensor): Tensor[] => {
    const [dx, dGain, dBias] = [device.empty(x.shape), device.empty(gain.shape), device.empty(bias.shape)];
    device.run(inputGradient, { inputs: { dy, gain }, outputs: { dx }, sizes });
    kept.use((values) => {
      const outputs = { gain: dGain, bias: dBias };
      device.run(parameterGradient, { inputs: { x: values, dy }, outputs, sizes });
    });
    return [dx, dGain, dBias];
  };
  return device.tape.record([x, gain, bias], y, kept.made, vjp, [...kept.reads, gain]);
}
