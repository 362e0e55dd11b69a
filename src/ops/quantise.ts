/** Tensors into codes and back. Not differentiable by themselves: operations apply them straight through. */
import { blockFormat, isBlockFormat, type BlockFormat } from "../formats/block-format.ts";
import type { Rounding, ScalarFormat } from "../formats/format.ts";
import { format as formatOf } from "../formats/index.ts";
import { codeStorage, decodeValue, encodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { index, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, output, perColumn, perRow, scalar } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import {
  elementBytes,
  isBlocked,
  isCoded,
  matrixShape,
  partsOf,
  sizeOf,
  type BlockedTensor,
  type CodedTensor,
  type Tensor,
} from "../tensor/tensor.ts";
import { unpacked } from "./pack.ts";
import { dequantiseBlocks, quantiseBlocks } from "./quantise-blocks.ts";
import { scaleOf } from "./scale.ts";

type ScaleAxis = 0 | 1 | null;
type ScaleAccess = typeof scalar | typeof perRow | typeof perColumn;
const accessOf = (axis: ScaleAxis): ScaleAccess => (axis === null ? scalar : axis === 0 ? perRow : perColumn);

const encoders = new Map<string, PointwiseKernel>();

/** Scaled values beyond the largest saturate, also in formats that overflow to infinity. */
function saturated({ coding, info }: ScalarFormat, x: Value): Value {
  const overflows = coding.kind === "float" && coding.overflow === "infinity";
  return overflows ? x.clamp(-info.max, info.max) : x;
}

/** x / scale into codes. Stochastic rounding takes its bits from (key, element index). */
function encoderOf(format: ScalarFormat, rounding: Rounding, axis: ScaleAxis | "none"): PointwiseKernel {
  const name = `quantise ${format.name} ${rounding} ${axis ?? "tensor"}`;
  const known = encoders.get(name);
  if (known) return known;
  const inputs = { x: element("f32"), ...(axis === "none" ? {} : { scale: accessOf(axis)("f32") }) };
  const keys = rounding === "stochastic" ? ({ key0: "u32", key1: "u32" } as const) : {};
  const kernel = pointwise(name, inputs, keys, (values) => {
    const { x, scale, key0, key1 } = values as Readonly<Record<string, Value>>;
    const bits = rounding === "stochastic" ? randomBits(index(), key0, key1) : undefined;
    const scaled = axis === "none" ? x : saturated(format, x.div(scale));
    return { y: output(codeStorage(format), encodeValue(format, scaled, rounding, bits)) };
  });
  encoders.set(name, kernel);
  return kernel;
}

/** Which axes of a matrix are what, for scales per channel and per block. */
export interface QuantisedAxes {
  /** The channel: 0 for a weight's output channel [out, in], 1 for an activation's feature [tokens, features]. */
  readonly channel: 0 | 1;
  /** The axis that the product sums over: blocks run along it. */
  readonly reduction: 0 | 1;
}

/** The block format that a precision asks for, by its name or by scales per block; null where it asks for none. */
export function blocksOf({ format, scale, block, scaleRule }: TensorPrecision): BlockFormat | null {
  if (scale !== "block" && !isBlockFormat(format)) return null;
  return blockFormat(format, { ...(block && { block }), ...(scaleRule && { scaleRule }) });
}

/**
 * Rounds a float32 tensor to the codes of a precision.
 *
 *   y = encode(x / s);   s: see `scaleOf`; of blocks see `quantiseBlocks`; the policy's number; or 1
 *
 * What is not finite: it has no say in the scale of a tensor or a channel; infinities saturate where there is a scale; NaN
 * becomes the format's NaN, or in formats without one 0 (without zero: its lowest rung). A block with such a value is NaN.
 *
 * @param x    any shape; for scales per channel or block a matrix [size / last, last].
 * @param key  random key; needed for stochastic rounding only.
 * @returns codes, unpacked, and scales of their own (`freeCoded`).
 * @throws BlockFormatError for a block size or rule that the format does not have.
 */
export function quantise(
  x: Tensor,
  precision: TensorPrecision,
  { channel, reduction }: QuantisedAxes,
  key: Key,
): CodedTensor | BlockedTensor {
  const blocks = blocksOf(precision);
  if (blocks) return quantiseBlocks(x, blocks, precision.rounding, reduction, key);
  return quantiseScaled(x, precision, precision.scale === "channel" ? channel : null, key);
}

/** The same for precisions that are not in blocks. @param scaleAxis null: one scale for the tensor. */
export function quantiseScaled(
  x: Tensor,
  precision: TensorPrecision,
  scaleAxis: ScaleAxis,
  key: Key,
): CodedTensor {
  const { device } = x;
  const { rounding } = precision;
  const format = formatOf(precision.format);
  const scale = scaleTensor(x, precision, format, scaleAxis);
  const encoding = { kind: "coded", format, scale, scaleAxis, packed: false } as const;
  const y = { ...device.empty(x.shape, encoding), encoding };
  const [rows, columns] = matrixShape(x.shape);
  const sizes = scaleAxis === null ? { rows: 1, columns: sizeOf(x.shape) } : { rows, columns };
  const none = precision.scale === "none";
  device.run(encoderOf(format, rounding, none ? "none" : scaleAxis), {
    inputs: none ? { x } : { x, scale },
    outputs: { y },
    uniforms: { key0: key[0], key1: key[1] },
    sizes,
  });
  return y;
}

function scaleTensor(x: Tensor, precision: TensorPrecision, format: ScalarFormat, axis: ScaleAxis): Tensor {
  const { scale } = precision;
  const fixed = scale === "none" ? 1 : scale;
  if (typeof fixed === "number") return x.device.tensor(Float32Array.of(fixed), [1]);
  return scaleOf(x, precision, format, axis);
}

/** Frees a quantised tensor and its scales. */
export function freeCoded(x: CodedTensor | BlockedTensor): void {
  for (const part of partsOf(x)) x.device.free(part);
}

const decoders = new Map<string, PointwiseKernel>();

function decoderOf(format: ScalarFormat, axis: ScaleAxis): PointwiseKernel {
  const name = `dequantise ${format.name} ${axis ?? "tensor"}`;
  const known = decoders.get(name);
  if (known) return known;
  const inputs = { x: element(codeStorage(format)), scale: accessOf(axis)("f32") };
  const kernel = pointwise(name, inputs, {}, ({ x, scale }) => ({
    y: output("f32", decodeValue(format, x).mul(scale)),
  }));
  decoders.set(name, kernel);
  return kernel;
}

/** The float32 values a tensor of codes stands for, packed or not; a float32 tensor is returned as it is. */
export function dequantise(x: Tensor): Tensor {
  if (!isCoded(x) && !isBlocked(x)) return x;
  const codes = unpacked(x);
  const y = isBlocked(codes) ? dequantiseBlocks(codes) : dequantiseScaled(codes);
  if (codes !== x) x.device.free(codes);
  return y;
}

function dequantiseScaled(x: CodedTensor): Tensor {
  const { format, scale, scaleAxis } = x.encoding;
  const y = x.device.empty(x.shape);
  const [rows, columns] = matrixShape(x.shape);
  x.device.run(decoderOf(format, scaleAxis), {
    inputs: { x, scale },
    outputs: { y },
    sizes: { rows, columns },
  });
  return y;
}

/** Bytes of a tensor with its scales, as they lie in memory: packed codes count 4 or 6 bits. */
export function bytesOf(x: Tensor): number {
  if (isBlocked(x)) {
    const { scales, tensorScale } = x.encoding;
    const own = elementBytes(x.encoding, x.shape) + elementBytes(scales.encoding, scales.shape);
    return own + (tensorScale ? bytesOf(tensorScale) : 0);
  }
  return elementBytes(x.encoding, x.shape) + (isCoded(x) ? bytesOf(x.encoding.scale) : 0);
}
