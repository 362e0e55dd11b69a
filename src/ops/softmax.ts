/** Softmax over the last axis, optionally causal. */
import { f32, index, select } from "../kernels/program.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perRow } from "../kernels/signature.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

/** Rows of `y` may take the place of `x`. With `causal` = 1, column c of row r counts only when c ≤ r. */
export const softmaxRows = rows(
  "softmax",
  { x: element("f32") },
  { scale: "f32", causal: "u32" },
  (program) => {
    const { x, scale, causal } = program.scope;
    const hidden = causal.ne(0).and(index("column").gt(index("row")));
    const seen = select(hidden, f32(-Infinity), x.mul(scale));
    const top = program.reduce("top", "max", seen);
    // Powers that vanish pass through subnormal numbers, which processors multiply slowly: hidden ones are not taken.
    const power = select(hidden, f32(0), select(hidden, f32(0), seen.sub(top)).exp());
    const [e, sum] = program.storeAndReduce("y", output("f32", power), "sum", "sum");
    program.store({ y: output("f32", e.mul(sum.reciprocal())) });
  },
);

/** As {@link softmaxRows}, of the first `seen` columns of each row, at least one; the rest become 0. */
export const softmaxSeenRows = rows(
  "softmax of what is seen",
  { x: element("f32"), seen: perRow("i32") },
  { scale: "f32" },
  (program) => {
    const { x, seen, scale } = program.scope;
    const hidden = index("column").asI32().ge(seen);
    const scores = select(hidden, f32(-Infinity), x.mul(scale));
    const top = program.reduce("top", "max", scores);
    const power = select(hidden, f32(0), select(hidden, f32(0), scores.sub(top)).exp());
    const [e, sum] = program.storeAndReduce("y", output("f32", power), "sum", "sum");
    program.store({ y: output("f32", e.mul(sum.reciprocal())) });
  },
);

/** dx = scale · y (dy - Σ y dy); `dx` may take the place of `dy`. */
export const softmaxGradientRows = rows(
  "softmax gradient",
  { y: element("f32"), dy: element("f32") },
  { scale: "f32" },
  (program) => {
    const { y, dy, scale } = program.scope;
    const dot = program.reduce("dot", "sum", y.mul(dy));
    program.store({ dx: output("f32", y.mul(dy.sub(dot)).mul(scale)) });
  },
);

/**
 *   yᵢ = exp(xᵢ - max x) / Σⱼ exp(xⱼ - max x), over the last axis
 */
export function softmax(x: Tensor): Tensor {
  const { device } = x;
  const columns = x.shape[x.shape.length - 1] ?? 1;
  const sizes = { rows: sizeOf(x.shape) / columns, columns };
  const y = device.empty(x.shape);
  device.run(softmaxRows, { inputs: { x }, outputs: { y }, uniforms: { scale: 1, causal: 0 }, sizes });
  return device.tape.record([x], y, [], (dy) => {
    const dx = device.empty(x.shape);
    device.run(softmaxGradientRows, { inputs: { y, dy }, outputs: { dx }, uniforms: { scale: 1 }, sizes });
    return [dx];
  });
}
