/** Moves a parameter's initial float32 values into the format it will live in. */
import { format as formatOf, rungsOf, type ScalarFormat } from "../formats/index.ts";
import { codeStorage, encodeValue, stepRungs } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { i32, select } from "../kernels/program.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import { packed } from "../ops/pack.ts";
import type { TensorPrecision } from "../precision/policy.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { readValues, sizeOf, type CodedTensor, type Tensor } from "../tensor/tensor.ts";

const kernels = new Map<ScalarFormat, PointwiseKernel>();

/** Nearest code of x / scale. On a ladder a weight that is not zero gets a rung, so that it can move. */
function storeKernel(format: ScalarFormat): PointwiseKernel {
  const known = kernels.get(format);
  if (known) return known;
  const inputs = { x: element("f32"), scale: scalar("f32") };
  const kernel = pointwise(`store ${format.name}`, inputs, {}, ({ x, scale }) => {
    const code = encodeValue(format, x.div(scale), "nearest-even");
    const kept = rungsOf(format)?.hasZero ? select(x.eq(0), code, stepRungs(format, code, i32(0))) : code;
    return { y: output(codeStorage(format), kept) };
  });
  kernels.set(format, kernel);
  return kernel;
}

/** √(mean x²) of a tensor's values. */
export async function rootMeanSquare(x: Tensor): Promise<number> {
  const values = await readValues(x);
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / Math.max(1, values.length));
}

/**
 * Replaces a float32 parameter by its codes and frees the floats.
 *
 * @param top  the value of the top rung, σ*; formats with a range of their own use 1.
 * @throws RangeError when a ladder's top is not positive: an all-zero tensor has no scale and could never move.
 */
export function storeAs(parameter: Parameter, precision: TensorPrecision, top: number): void {
  const { tensor } = parameter;
  const { device } = tensor;
  const format = formatOf(precision.format);
  const ladder = rungsOf(format) !== null;
  if (ladder && !(top > 0)) {
    throw new RangeError(
      `logrung: every weight of "${parameter.name}" is zero: on a ladder it could never move. ` +
        `Exempt it (train it with adamw) or initialise it with non-zero values`,
    );
  }
  const scale = device.keep(device.tensor(new Float32Array([ladder ? top : 1]), [1]));
  const encoding = { kind: "coded", format, scale, scaleAxis: null, packed: false } as const;
  const coded: CodedTensor = { ...device.keep(device.empty(tensor.shape, encoding, true)), encoding };
  const sizes = { rows: 1, columns: sizeOf(tensor.shape) };
  device.run(storeKernel(format), { inputs: { x: tensor, scale }, outputs: { y: coded }, sizes });
  device.free(tensor);
  const kept = packed(coded);
  if (kept !== coded) device.free(coded);
  parameter.tensor = device.keep(kept);
}
