/** The linear layer, its operands in the formats of a precision policy, forward and backward. */
import { columns } from "../kernels/columns.ts";
import { element, output } from "../kernels/signature.ts";
import type { Policy, TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { expectShape, isCoded, partsOf, type Tensor } from "../tensor/tensor.ts";
import { product } from "./product.ts";
import { quantise } from "./quantise.ts";

const biasGradient = columns(
  "bias gradient",
  { dy: element("f32") },
  {},
  ({ dy }) => ({ sum: { op: "sum", value: dy } }),
  (_, { sum }) => ({ db: output("f32", sum) }),
);

/** Σ over rows, [columns]. */
function sumRows(dy: Tensor): Tensor {
  const db = dy.device.empty([dy.shape[1]]);
  const sizes = { rows: dy.shape[0], columns: dy.shape[1] };
  dy.device.run(biasGradient, { inputs: { dy }, outputs: { db }, sizes });
  return db;
}

/** How a forward or backward product takes its operands. */
export interface LinearPrecision {
  readonly policy: Policy;
  /** A random key for a purpose, new in every step; used by stochastic roundings alone. */
  readonly key: (purpose: string) => Key;
}

/**
 *   y = Q_A(x) · Q_W(w)ᵀ + b
 *   dx = Q_E(dy) · Q_W(w),   dw = Q_E(dy)ᵀ · Q_A(x),   db = Σ dy
 *
 * Straight-through: quantisers count as the identity in differentiation. What is saved for the backward pass is
 * Q_A(x), in its format. A weight that lives as codes is its own Q_W.
 *
 * @param x  [rows, in]
 * @param w  [out, in]
 * @param b  [out] or null
 * @returns [rows, out]
 */
export function linear(x: Tensor, w: Tensor, b: Tensor | null, precision: LinearPrecision): Tensor {
  expectShape("linear's weight", w, null, null);
  expectShape("linear", x, null, w.shape[1]);
  const { policy, key } = precision;
  const { device } = x;
  const activation = rounded(x, policy.activation, 1, () => key("activation"));
  const weight = rounded(w, policy.weight, 0, () => key("weight"));
  const y = product({ tensor: activation, transposed: false }, { tensor: weight, transposed: true }, b);
  const saved = [...madeBy(activation, x), ...madeBy(weight, w)];
  const vjp = (dy: Tensor): (Tensor | null)[] => {
    const error = rounded(dy, policy.error, 1, () => key("error"));
    const dx = x.tracked
      ? product({ tensor: error, transposed: false }, { tensor: weight, transposed: false })
      : null;
    const dw = w.tracked
      ? product({ tensor: error, transposed: true }, { tensor: activation, transposed: false })
      : null;
    for (const part of madeBy(error, dy)) device.free(part);
    return b ? [dx, dw, sumRows(dy)] : [dx, dw];
  };
  return device.tape.record(b ? [x, w, b] : [x, w], y, saved, vjp);
}

function rounded(x: Tensor, precision: TensorPrecision | null, channelAxis: 0 | 1, key: () => Key): Tensor {
  if (precision === null || isCoded(x)) return x;
  const axes = { channel: channelAxis, reduction: 1 } as const;
  return quantise(x, precision, axes, precision.rounding === "stochastic" ? key() : [0, 0]);
}

/** The tensors a rounding made, for the tape to free. */
function madeBy(result: Tensor, source: Tensor): readonly Tensor[] {
  return result === source ? [] : partsOf(result);
}
