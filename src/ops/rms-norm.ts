/** Root-mean-square normalisation. */
import { columns } from "../kernels/columns.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perColumn, perRow } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";

const forward = rows(
  "rms norm",
  { x: element("f32"), gain: perColumn("f32") },
  { share: "f32", epsilon: "f32" },
  (program) => {
    const { x, gain, share, epsilon } = program.scope;
    const square = program.reduce("squares", "sum", x.mul(x)).mul(share);
    const scale = square.add(epsilon).sqrt().reciprocal();
    program.store({ y: output("f32", x.mul(scale).mul(gain)) });
    program.perRow.scale = output("f32", scale);
  },
);

const inputGradient = rows(
  "rms norm gradient",
  { x: element("f32"), dy: element("f32"), gain: perColumn("f32"), scale: perRow("f32") },
  { share: "f32" },
  (program) => {
    const { x, dy, gain, scale, share } = program.scope;
    const normal = x.mul(scale);
    const pulled = dy.mul(gain);
    const along = program.reduce("along", "sum", pulled.mul(normal)).mul(share);
    program.store({ dx: output("f32", pulled.sub(normal.mul(along)).mul(scale)) });
  },
);

const gainGradient = columns(
  "rms norm gain gradient",
  { x: element("f32"), dy: element("f32"), scale: perRow("f32") },
  {},
  ({ x, dy, scale }) => ({ gain: { op: "sum", value: dy.mul(x.mul(scale)) } }),
  (_, { gain }) => ({ gain: output("f32", gain) }),
);

/**
 *   y = x / √(mean x² + ε) · gain, the mean over the last axis
 *
 * @param x        [rows, columns]
 * @param gain     [columns]
 * @param epsilon  ε; default 1e-5.
 * @source Zhang and Sennrich 2019, Root mean square layer normalization.
 */
export function rmsNorm(x: Tensor, gain: Tensor, epsilon = 1e-5): Tensor {
  expectShape("rmsNorm", x, null, gain.shape[0]);
  const { device } = x;
  const sizes = { rows: x.shape[0], columns: x.shape[1] };
  const share = { share: 1 / sizes.columns };
  const [y, scale] = [device.empty(x.shape), device.empty([sizes.rows])];
  device.run(forward, { inputs: { x, gain }, outputs: { y, scale }, uniforms: { ...share, epsilon }, sizes });
  return device.tape.record([x, gain], y, [scale], (dy) => {
    const [dx, dGain] = [device.empty(x.shape), device.empty(gain.shape)];
    device.run(inputGradient, { inputs: { x, dy, gain, scale }, outputs: { dx }, uniforms: share, sizes });
    device.run(gainGradient, { inputs: { x, dy, scale }, outputs: { gain: dGain }, sizes });
    return [dx, dGain];
  });
}
