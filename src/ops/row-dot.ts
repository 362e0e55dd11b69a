/** Inner products of the rows of two matrices. */
import { pointwise } from "../kernels/pointwise.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perRow } from "../kernels/signature.ts";
import { expectShape, type Tensor } from "../tensor/tensor.ts";

const dots = rows("row dot", { a: element("f32"), b: element("f32") }, {}, (program) => {
  const { a, b } = program.scope;
  program.perRow.y = output("f32", program.reduce("dot", "sum", a.mul(b)));
});

const gradient = pointwise(
  "row dot gradient",
  { other: element("f32"), dy: perRow("f32") },
  {},
  ({ other, dy }) => ({ dx: output("f32", other.mul(dy)) }),
);

/**
 *   y[r] = Σ over c of a[r, c] · b[r, c];   da[r, c] = dy[r] b[r, c],  db[r, c] = dy[r] a[r, c]
 *
 * With a the features of an image and b the embedding of its class it is the class term of a projection discriminator.
 *
 * @param a  [rows, columns]
 * @param b  the same shape
 * @returns [rows, 1]
 * @source Miyato and Koyama 2018, cGANs with projection discriminator, equation 3.
 */
export function rowDot(a: Tensor, b: Tensor): Tensor {
  expectShape("rowDot", a, null, null);
  expectShape("rowDot", b, a.shape[0], a.shape[1]);
  const { device } = a;
  const sizes = { rows: a.shape[0], columns: a.shape[1] };
  const y = device.empty([a.shape[0], 1]);
  device.run(dots, { inputs: { a, b }, outputs: { y }, sizes });
  const times = (other: Tensor, dy: Tensor): Tensor => {
    const dx = device.empty(other.shape);
    device.run(gradient, { inputs: { other, dy }, outputs: { dx }, sizes });
    return dx;
  };
  return device.tape.record([a, b], y, [], (dy) => [times(b, dy), times(a, dy)], [a, b]);
}
