/** Layer normalisation. */
import { columns } from "../kernels/columns.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perColumn, perRow } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";
import type { LayerPrecision } from "./operand.ts";
import { saveInput } from "./saved.ts";

const forward = rows(
  "layer norm",
  { x: element("f32"), gain: perColumn("f32"), bias: perColumn("f32") },
  { perColumn: "f32", epsilon: "f32" },
  (program) => {
    const { x, gain, bias, perColumn: share, epsilon } = program.scope;
    const mean = program.reduce("sum", "sum", x).mul(share);
    const centred = x.sub(mean);
    const variance = program.reduce("squares", "sum", centred.mul(centred)).mul(share);
    const scale = variance.add(epsilon).sqrt().reciprocal();
    program.store({ y: output("f32", centred.mul(scale).fma(gain, bias)) });
    program.perRow.mean = output("f32", mean);
    program.perRow.scale = output("f32", scale);
  },
);

const inputGradient = rows(
  "layer norm gradient",
  {
    x: element("f32"),
    dy: element("f32"),
    gain: perColumn("f32"),
    mean: perRow("f32"),
    scale: perRow("f32"),
  },
  { perColumn: "f32" },
  (program) => {
    const { x, dy, gain, mean, scale, perColumn: share } = program.scope;
    const normal = x.sub(mean).mul(scale);
    const pulled = dy.mul(gain);
    const { a, b } = program.reduceAll({
      a: { op: "sum", value: pulled },
      b: { op: "sum", value: pulled.mul(normal) },
    });
    const dx = pulled
      .sub(a.mul(share))
      .sub(normal.mul(b.mul(share)))
      .mul(scale);
    program.store({ dx: output("f32", dx) });
  },
);

const parameterGradient = columns(
  "layer norm parameter gradient",
  { x: element("f32"), dy: element("f32"), mean: perRow("f32"), scale: perRow("f32") },
  {},
  ({ x, dy, mean, scale }) => ({
    gain: { op: "sum", value: dy.mul(x.sub(mean).mul(scale)) },
    bias: { op: "sum", value: dy },
  }),
  (_, { gain, bias }) => ({ gain: output("f32", gain), bias: output("f32", bias) }),
);

/**
 *   y = (x - mean) / √(variance + ε) · gain + bias, mean and variance over the last axis
 *
 * @param x        [rows, columns]
 * @param gain     [columns]
 * @param bias     [columns]
 * @param epsilon  ε; default 1e-5, GPT-2's.
 * @param precision  in which format x is kept for the backward pass, the mean and deviation in float32; default as it is.
 * @source Ba, Kiros and Hinton 2016, Layer normalization.
 */
export function layerNorm(
  x: Tensor,
  gain: Tensor,
  bias: Tensor,
  epsilon = 1e-5,
  precision: LayerPrecision | null = null,
): Tensor {
  expectShape("layerNorm", x, null, null);
  const { device } = x;
  const sizes = { rows: x.shape[0], columns: x.shape[1] };
  expectShape("layerNorm's gain", gain, sizes.columns);
  expectShape("layerNorm's bias", bias, sizes.columns);
  const share = { perColumn: 1 / sizes.columns };
  const [y, mean, scale] = [device.empty(x.shape), device.empty([sizes.rows]), device.empty([sizes.rows])];
  const uniforms = { ...share, epsilon };
  device.run(forward, { inputs: { x, gain, bias }, outputs: { y, mean, scale }, uniforms, sizes });
  const { made, reads, use } = saveInput(x, precision);
  const vjp = (dy: Tensor): readonly Tensor[] =>
    use((kept) => {
      const dx = device.empty(x.shape);
      const [dGain, dBias] = [device.empty(gain.shape), device.empty(bias.shape)];
      const inputs = { x: kept, dy, mean, scale };
      device.run(inputGradient, { inputs: { ...inputs, gain }, outputs: { dx }, uniforms: share, sizes });
      device.run(parameterGradient, { inputs, outputs: { gain: dGain, bias: dBias }, sizes });
      return [dx, dGain, dBias];
    });
  return device.tape.record([x, gain, bias], y, [mean, scale, ...made], vjp, reads);
}
