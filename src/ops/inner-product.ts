/** The inner product of two tensors. */
import { rows } from "../kernels/rows.ts";
import { element, output } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

const rowSums = rows("inner product", { a: element("f32"), b: element("f32") }, {}, (program) => {
  const { a, b } = program.scope;
  program.perRow.sum = output("f32", program.reduce("sum", "sum", a.mul(b)));
});

const total = rows("sum of sums", { x: element("f32") }, {}, (program) => {
  program.perRow.sum = output("f32", program.reduce("sum", "sum", program.scope.x));
});

/** Σ a b over all elements, shape [1]; row by row first. Not recorded on the tape. */
export function innerProduct(a: Tensor, b: Tensor): Tensor {
  const { device, shape } = a;
  const columns = shape[shape.length - 1] ?? 1;
  const height = sizeOf(shape) / columns;
  const [partial, sum] = [device.empty([height]), device.empty([1])];
  device.run(rowSums, { inputs: { a, b }, outputs: { sum: partial }, sizes: { rows: height, columns } });
  device.run(total, { inputs: { x: partial }, outputs: { sum }, sizes: { rows: 1, columns: height } });
  device.free(partial);
  return sum;
}
