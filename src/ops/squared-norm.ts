/** The sum of squares of all elements. */
import { rows } from "../kernels/rows.ts";
import { element, output } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

const squares = rows("squared norm", { x: element("f32") }, {}, (program) => {
  const { x } = program.scope;
  program.perRow.sum = output("f32", program.reduce("sum", "sum", x.mul(x)));
});

const total = rows("total", { x: element("f32") }, {}, (program) => {
  program.perRow.sum = output("f32", program.reduce("sum", "sum", program.scope.x));
});

/** Σ x², shape [1]; not recorded on the tape. NaN and infinity stay visible in it. */
export function squaredNorm(x: Tensor): Tensor {
  const { device } = x;
  const columns = x.shape[x.shape.length - 1] ?? 1;
  const sizes = { rows: sizeOf(x.shape) / columns, columns };
  const perRow = device.empty([sizes.rows]);
  device.run(squares, { inputs: { x }, outputs: { sum: perRow }, sizes });
  const sum = device.empty([1]);
  device.run(total, { inputs: { x: perRow }, outputs: { sum }, sizes: { rows: 1, columns: sizes.rows } });
  device.free(perRow);
  return sum;
}
