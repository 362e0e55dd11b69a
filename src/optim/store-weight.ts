/** Moves a parameter's initial float32 values into the format it will live in. */
import { format as formatOf, type ScalarFormat } from "../formats/index.ts";
import { codeStorage, encodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { i32, select } from "../kernels/program.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import { sizeOf, type CodedTensor, type Tensor } from "../tensor/tensor.ts";
import { packed } from "../ops/pack.ts";
import { onRung, ladderOf } from "./held.ts";

const kernels = new Map<ScalarFormat, PointwiseKernel>();

/** Nearest code of x / scale. On a ladder a weight that is not zero gets a rung, so that it can move. */
function storeKernel(format: ScalarFormat): PointwiseKernel {
  const known = kernels.get(format);
  if (known) return known;
  const inputs = { x: element("f32"), scale: scalar("f32") };
  const kernel = pointwise(`store ${format.name}`, inputs, {}, ({ x, scale }) => {
    const code = encodeValue(format, x.div(scale), "nearest-even");
    const ladder = ladderOf(format);
    const kept = ladder?.hasZero ? select(x.eq(0), code, onRung(ladder, code, i32(0))) : code;
    return { y: output(codeStorage(format), kept) };
  });
  kernels.set(format, kernel);
  return kernel;
}

/** Replaces a float32 tensor by its codes, multiples of `scale`, a code in each byte, and frees the floats. */
export function encodeAs(tensor: Tensor, precision: TensorPrecision, scale: Tensor): CodedTensor {
  const { device, tracked } = tensor;
  const encoding = {
    kind: "coded",
    format: formatOf(precision.format),
    scale,
    scaleAxis: null,
    packed: false,
  } as const;
  const coded: CodedTensor = { ...device.keep(device.empty(tensor.shape, encoding, tracked)), encoding };
  const sizes = { rows: 1, columns: sizeOf(tensor.shape) };
  const kernel = storeKernel(encoding.format);
  device.run(kernel, { inputs: { x: tensor, scale }, outputs: { y: coded }, sizes });
  device.free(tensor);
  return coded;
}

/** The same; codes of few bits lie packed. */
export function packedAs(tensor: Tensor, precision: TensorPrecision, scale: Tensor): Tensor {
  const coded = encodeAs(tensor, precision, scale);
  const kept = packed(coded);
  if (kept !== coded) tensor.device.free(coded);
  return tensor.device.keep(kept);
}
