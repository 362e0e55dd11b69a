/** Tensors into codes and back. Not differentiable by themselves: operations apply them straight through. */
import type { Rounding, ScalarFormat } from "../formats/format.ts";
import { format as formatOf } from "../formats/index.ts";
import { decodeValue, encodeValue } from "../kernels/codec.ts";
import { columns, type ColumnsKernel } from "../kernels/columns.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { index, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { rows } from "../kernels/rows.ts";
import { element, output, perColumn, perRow, scalar } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Key } from "../random/stream.ts";
import { isCoded, sizeOf, storageType, type CodedTensor, type Tensor } from "../tensor/tensor.ts";

/** The least scale: an all-zero tensor divides by it and stays zero. */
const LEAST_SCALE = 2 ** -126;

const rowMaximum = rows("row maximum", { x: element("f32") }, {}, (program) => {
  const top = program.reduce("top", "max", program.scope.x.abs());
  program.perRow.top = output("f32", top.max(LEAST_SCALE));
});

const columnMaximum: ColumnsKernel = columns(
  "column maximum",
  { x: element("f32") },
  {},
  ({ x }) => ({ top: { op: "max", value: x.abs() } }),
  (_, { top }) => ({ top: output("f32", top.max(LEAST_SCALE)) }),
);

type ScaleAccess = typeof scalar | typeof perRow | typeof perColumn;
const accessOf = (axis: 0 | 1 | null): ScaleAccess =>
  axis === null ? scalar : axis === 0 ? perRow : perColumn;

const encoders = new Map<string, PointwiseKernel>();

/** x / scale into codes. Stochastic rounding takes its bits from (key, element index). */
function encoderOf(format: ScalarFormat, rounding: Rounding, axis: 0 | 1 | null): PointwiseKernel {
  const name = `quantise ${format.name} ${rounding} ${axis ?? "tensor"}`;
  const known = encoders.get(name);
  if (known) return known;
  const storage = format.bits <= 8 ? "u8" : "u16";
  const inputs = { x: element("f32"), scale: accessOf(axis)("f32") };
  const encode = (x: Value, scale: Value, bits?: Value) => ({
    y: output(storage, encodeValue(format, x.div(scale), rounding, bits)),
  });
  const kernel =
    rounding === "stochastic"
      ? pointwise(name, inputs, { key0: "u32", key1: "u32" }, ({ x, scale, key0, key1 }) =>
          encode(x, scale, randomBits(index(), key0, key1)),
        )
      : pointwise(name, inputs, {}, ({ x, scale }) => encode(x, scale));
  encoders.set(name, kernel);
  return kernel;
}

/** max |x| over the whole tensor, or over each index of an axis of a matrix; at least 2⁻¹²⁶. */
function scaleOf(x: Tensor, axis: 0 | 1 | null): Tensor {
  const { device } = x;
  const width = x.shape[x.shape.length - 1];
  const sizes = { rows: sizeOf(x.shape) / width, columns: width };
  if (axis === 1) {
    const top = device.empty([width]);
    device.run(columnMaximum, { inputs: { x }, outputs: { top }, sizes });
    return top;
  }
  const tops = device.empty([sizes.rows]);
  device.run(rowMaximum, { inputs: { x }, outputs: { top: tops }, sizes });
  if (axis === 0) return tops;
  const top = device.empty([1]);
  device.run(rowMaximum, { inputs: { x: tops }, outputs: { top }, sizes: { rows: 1, columns: sizes.rows } });
  device.free(tops);
  return top;
}

/**
 *   y = encode(x / s), s = max |x| over the tensor (or the channel), or the policy's fixed number
 *
 * @param channelAxis  which axis is the channel, for precisions with a scale per channel: 0 for a weight's output
 *   channel [out, in], 1 for an activation's feature [tokens, features].
 * @param key          random key; needed for stochastic rounding only.
 */
export function quantise(x: Tensor, precision: TensorPrecision, channelAxis: 0 | 1, key: Key): CodedTensor {
  const { device } = x;
  const format = formatOf(precision.format);
  const scaleAxis = precision.scale === "channel" ? channelAxis : null;
  const fixed =
    typeof precision.scale === "number" ? device.tensor(Float32Array.of(precision.scale), [1]) : null;
  const scale = fixed ?? scaleOf(x, scaleAxis);
  const encoding = { kind: "coded", format, scale, scaleAxis } as const;
  const y = device.empty(x.shape, encoding);
  const width = x.shape[x.shape.length - 1];
  const sizes =
    scaleAxis === null
      ? { rows: 1, columns: sizeOf(x.shape) }
      : { rows: sizeOf(x.shape) / width, columns: width };
  const kernel = encoderOf(format, precision.rounding, scaleAxis);
  const uniforms = { key0: key[0], key1: key[1] };
  device.run(kernel, { inputs: { x, scale }, outputs: { y }, uniforms, sizes });
  return { ...y, encoding };
}

/** Frees a quantised tensor and its scale. */
export function freeCoded(x: CodedTensor): void {
  x.device.free(x.encoding.scale);
  x.device.free(x);
}

const decoders = new Map<string, PointwiseKernel>();

function decoderOf(format: ScalarFormat, axis: 0 | 1 | null): PointwiseKernel {
  const name = `dequantise ${format.name} ${axis ?? "tensor"}`;
  const known = decoders.get(name);
  if (known) return known;
  const inputs = { x: element(format.bits <= 8 ? "u8" : "u16"), scale: accessOf(axis)("f32") };
  const kernel = pointwise(name, inputs, {}, ({ x, scale }) => ({
    y: output("f32", decodeValue(format, x).mul(scale)),
  }));
  decoders.set(name, kernel);
  return kernel;
}

/** The float32 values a coded tensor stands for; a float32 tensor is returned as it is. */
export function dequantise(x: Tensor): Tensor {
  if (!isCoded(x)) return x;
  const { format, scale, scaleAxis } = x.encoding;
  const y = x.device.empty(x.shape);
  const width = x.shape[x.shape.length - 1];
  const sizes = { rows: sizeOf(x.shape) / width, columns: width };
  x.device.run(decoderOf(format, scaleAxis), { inputs: { x, scale }, outputs: { y }, sizes });
  return y;
}

/** Bytes of a tensor with its scales. */
export function bytesOf(x: Tensor): number {
  const own = sizeOf(x.shape) * { f32: 4, i32: 4, u8: 1, u16: 2 }[storageType(x.encoding) as "f32"];
  return isCoded(x) ? own + bytesOf(x.encoding.scale) : own;
}
