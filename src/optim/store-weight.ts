/** Moves a parameter's initial float32 values into the format it will live in. */
import { format as formatOf, type ScalarFormat } from "../formats/index.ts";
import { codeStorage, encodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { i32, select } from "../kernels/program.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { sizeOf, type CodedTensor, type Tensor } from "../tensor/tensor.ts";
import { onRung, rungsOf } from "./held.ts";

const kernels = new Map<ScalarFormat, PointwiseKernel>();

/** Nearest code of x / scale. On a ladder a weight that is not zero gets a rung, so that it can move. */
function storeKernel(format: ScalarFormat): PointwiseKernel {
  const known = kernels.get(format);
  if (known) return known;
  const inputs = { x: element("f32"), scale: scalar("f32") };
  const kernel = pointwise(`store ${format.name}`, inputs, {}, ({ x, scale }) => {
    const code = encodeValue(format, x.div(scale), "nearest-even");
    const rungs = rungsOf(format);
    const kept = rungs?.hasZero ? select(x.eq(0), code, onRung(rungs, code, i32(0))) : code;
    return { y: output(codeStorage(format), kept) };
  });
  kernels.set(format, kernel);
  return kernel;
}

/** Replaces a float32 tensor by its codes, multiples of `scale`, and frees the floats. */
export function encodeAs(tensor: Tensor, precision: TensorPrecision, scale: Tensor): CodedTensor {
  const { device, tracked } = tensor;
  const encoding = { kind: "coded", format: formatOf(precision.format), scale, scaleAxis: null } as const;
  const coded: CodedTensor = { ...device.keep(device.empty(tensor.shape, encoding, tracked)), encoding };
  const sizes = { rows: 1, columns: sizeOf(tensor.shape) };
  const kernel = storeKernel(encoding.format);
  device.run(kernel, { inputs: { x: tensor, scale }, outputs: { y: coded }, sizes });
  device.free(tensor);
  return coded;
}

/** Moves a parameter into its format: codes that are multiples of `scale`. */
export function storeAs(parameter: Parameter, precision: TensorPrecision, scale: Tensor): void {
  parameter.tensor = encodeAs(parameter.tensor, precision, scale);
}
