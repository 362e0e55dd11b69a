/** Gradients of functions of single elements, at the inputs that were kept for them. */
import type { ScalarFormat } from "../formats/format.ts";
import { codeStorage, decodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import type { Value } from "../kernels/program.ts";
import { element, output, scalar } from "../kernels/signature.ts";
import type { Vjp } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { mapOver } from "./pointwise-op.ts";
import type { SavedInput } from "./saved.ts";

/**
 *   dx = dy · f′(x)
 *
 * Codes at one scale are decoded within the kernel, never as a whole.
 *
 * @param name   of the kernel.
 * @param slope  f′.
 */
export function savedSlope(name: string, slope: (x: Value) => Value): (x: Tensor, saved: SavedInput) => Vjp {
  const plain = pointwise(name, { x: element("f32"), dy: element("f32") }, {}, ({ x, dy }) => ({
    y: output("f32", dy.mul(slope(x))),
  }));
  const ofCodes = new Map<ScalarFormat, PointwiseKernel>();
  const kernelOf = (format: ScalarFormat): PointwiseKernel => {
    const known = ofCodes.get(format);
    if (known) return known;
    const inputs = { x: element(codeStorage(format)), scale: scalar("f32"), dy: element("f32") };
    const kernel = pointwise(`${name} at ${format.name}`, inputs, {}, ({ x, scale, dy }) => ({
      y: output("f32", dy.mul(slope(decodeValue(format, x).mul(scale)))),
    }));
    ofCodes.set(format, kernel);
    return kernel;
  };
  return (x, { codes, use }) =>
    (dy, owned) => {
      if (!codes) return [use((kept) => mapOver(plain, x, dy, owned, { x: kept, dy }))];
      const { format, scale } = codes.encoding;
      return [mapOver(kernelOf(format), x, dy, owned, { x: codes, scale, dy })];
    };
}
