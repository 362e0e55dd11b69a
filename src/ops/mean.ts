/** The mean of all elements. */
import { pointwise } from "../kernels/pointwise.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

const kernel = rows("mean", { x: element("f32") }, { share: "f32" }, (program) => {
  const sum = program.reduce("sum", "sum", program.scope.x);
  program.perRow.mean = output("f32", sum.mul(program.scope.share));
});

const spread = pointwise("mean gradient", { dy: scalar("f32") }, { share: "f32" }, ({ dy, share }) => ({
  y: output("f32", dy.mul(share)),
}));

/** y = Σ x / n over all n elements, shape [1];  dx = dy / n. */
export function mean(x: Tensor): Tensor {
  const { device } = x;
  const columns = sizeOf(x.shape);
  const uniforms = { share: 1 / columns };
  const y = device.empty([1]);
  device.run(kernel, { inputs: { x }, outputs: { mean: y }, uniforms, sizes: { rows: 1, columns } });
  return device.tape.record([x], y, [], (dy) => {
    const dx = device.empty(x.shape);
    device.run(spread, { inputs: { dy }, outputs: { y: dx }, uniforms, sizes: { rows: 1, columns } });
    return [dx];
  });
}
