/** A residual connection whose branch has a trained gate. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { expectShape, ShapeError, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { innerProduct } from "./inner-product.ts";
import { map } from "./pointwise-op.ts";

const forward = pointwise(
  "gated sum",
  { x: element("f32"), branch: element("f32"), gate: scalar("f32") },
  {},
  ({ x, branch, gate }) => ({ y: output("f32", branch.fma(gate, x)) }),
);

const times = pointwise(
  "gated sum gradient",
  { dy: element("f32"), gate: scalar("f32") },
  {},
  ({ dy, gate }) => ({ y: output("f32", dy.mul(gate)) }),
);

/**
 *   y = x + gate · branch;   dx = dy,  dbranch = gate dy,  dgate = Σ dy branch
 *
 * @param x       [rows, columns]
 * @param branch  the same shape
 * @param gate    [1]
 */
export function gatedSum(x: Tensor, branch: Tensor, gate: Tensor): Tensor {
  expectShape("gatedSum", x, null, null);
  if (sizeOf(x.shape) !== sizeOf(branch.shape))
    throw new ShapeError(`logrung: gatedSum of [${x.shape.join(", ")}] and [${branch.shape.join(", ")}]`);
  expectShape("gatedSum's gate", gate, 1);
  const y = map(forward, x, { x, branch, gate });
  const vjp = (dy: Tensor): Tensor[] => [dy, map(times, branch, { dy, gate }), innerProduct(dy, branch)];
  return x.device.tape.record([x, branch, gate], y, [], vjp, [branch, gate]);
}
