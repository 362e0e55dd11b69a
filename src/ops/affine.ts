/** A gain and a bias for each column. */
import { columns } from "../kernels/columns.ts";
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, perColumn } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";

const forward = pointwise(
  "affine",
  { x: element("f32"), gain: perColumn("f32"), bias: perColumn("f32") },
  {},
  ({ x, gain, bias }) => ({ y: output("f32", x.fma(gain, bias)) }),
);

const inputGradient = pointwise(
  "affine gradient",
  { dy: element("f32"), gain: perColumn("f32") },
  {},
  ({ dy, gain }) => ({ dx: output("f32", dy.mul(gain)) }),
);

const parameterGradient = columns(
  "affine parameter gradient",
  { x: element("f32"), dy: element("f32") },
  {},
  ({ x, dy }) => ({ gain: { op: "sum", value: dy.mul(x) }, bias: { op: "sum", value: dy } }),
  (_, { gain, bias }) => ({ gain: output("f32", gain), bias: output("f32", bias) }),
);

/**
 *   y = x · gain + bias;   dx = dy · gain,  dgain = Σ dy x,  dbias = Σ dy over rows
 *
 * @param x     [rows, columns]
 * @param gain  [columns]
 * @param bias  [columns]
 */
export function affine(x: Tensor, gain: Tensor, bias: Tensor): Tensor {
  expectShape("affine", x, null, gain.shape[0]);
  expectShape("affine's bias", bias, gain.shape[0]);
  const { device } = x;
  const sizes = { rows: x.shape[0], columns: x.shape[1] };
  const y = device.empty(x.shape);
  device.run(forward, { inputs: { x, gain, bias }, outputs: { y }, sizes });
  return device.tape.record([x, gain, bias], y, [], (dy) => {
    const dx = device.empty(x.shape);
    const [dGain, dBias] = [device.empty(gain.shape), device.empty(bias.shape)];
    device.run(inputGradient, { inputs: { dy, gain }, outputs: { dx }, sizes });
    device.run(parameterGradient, { inputs: { x, dy }, outputs: { gain: dGain, bias: dBias }, sizes });
    return [dx, dGain, dBias];
  });
}
