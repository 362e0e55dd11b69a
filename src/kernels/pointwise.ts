/** The `pointwise` shape: every element of the outputs from the same element of the inputs. */
import type { Inputs, Outputs, Scope, Uniforms } from "./signature.ts";
import { scopeOf } from "./signature.ts";

/**
 *   out[r, c] = f(inputs at (r, c), uniforms, index)
 *
 * Sizes: `rows`, `columns` (a flat array is one row), optional `outer` (default 1), see {@link Access}.
 * An output buffer may be the same buffer as an `element` input: each element is read before it is written.
 */
export interface PointwiseKernel {
  readonly shape: "pointwise";
  readonly name: string;
  readonly inputs: Inputs;
  readonly uniforms: Uniforms;
  readonly outputs: Outputs;
}

/**
 * Describes a pointwise kernel.
 *
 * @example const square = pointwise("square", { x: element("f32") }, {}, ({ x }) => ({ y: output("f32", x.mul(x)) }));
 */
export function pointwise<I extends Inputs, U extends Uniforms>(
  name: string,
  inputs: I,
  uniforms: U,
  body: (scope: Scope<I, U>) => Outputs,
): PointwiseKernel {
  return { shape: "pointwise", name, inputs, uniforms, outputs: body(scopeOf(inputs, uniforms)) };
}
