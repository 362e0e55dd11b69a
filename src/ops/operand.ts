/** Tensors as operands of products, in the formats of a precision policy. */
import type { LayerPolicy, TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { partsOf, type Tensor } from "../tensor/tensor.ts";
import { packed } from "./pack.ts";
import { dequantise, quantise, type QuantisedAxes } from "./quantise.ts";

const isFloat = ({ encoding }: Tensor): boolean => encoding.kind === "float32";

/** How an operation takes its operands, and what it keeps of them. */
export interface LayerPrecision {
  readonly policy: LayerPolicy;
  /** A random key for a purpose, new in every step; used by stochastic roundings alone. */
  readonly key: (purpose: string) => Key;
}

/** Whether a tensor is another one along another reduction axis: its scales run along that axis. */
export const dependsOnAxis = (precision: TensorPrecision | null): boolean => precision?.scale === "block";

/** Q(x) for a product that sums over `axes.reduction`; x itself where nothing is to be rounded. */
export function rounded(
  x: Tensor,
  precision: TensorPrecision | null,
  axes: QuantisedAxes,
  key: () => Key,
): Tensor {
  if (precision === null || !isFloat(x)) return x;
  return quantise(x, precision, axes, precision.rounding === "stochastic" ? key() : [0, 0]);
}

/** The tensors that {@link rounded} made: codes and scales; none where it returned its argument. */
export function madeBy(result: Tensor, source: Tensor): readonly Tensor[] {
  return result === source || isFloat(result) ? [] : partsOf(result);
}

/** What {@link rounded} made, as it is kept until the backward pass: codes of 4 and 6 bits packed. */
export function forKeeping(result: Tensor, source: Tensor): Tensor {
  if (result === source || !result.device.tape.recording) return result;
  const kept = packed(result);
  if (kept !== result) result.device.free(result);
  return kept;
}

/** Frees what {@link rounded} made. */
export function freeRounded(result: Tensor, source: Tensor): void {
  for (const tensor of madeBy(result, source)) tensor.device.free(tensor);
}

/** The float32 values of what {@link rounded} made, and how to give them back. */
export function decoded(x: Tensor): { readonly values: Tensor; readonly free: () => void } {
  const values = dequantise(x);
  return { values, free: () => (values === x ? undefined : values.device.free(values)) };
}
