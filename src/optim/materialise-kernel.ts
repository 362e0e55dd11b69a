/** The kernel that computes weights for a forward pass from what an optimiser keeps in their place. */
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import type { Value } from "../kernels/program.ts";
import { element, output, scalar, type Input } from "../kernels/signature.ts";
import { storageOf } from "./held.ts";
import { ownBits, uniformTypes, weightValue, type Rule } from "./rule.ts";

/**
 * Inputs: every part, `scale`. Output: `w`, float32. Uniforms: those of the step, `noise`, `own0`, `own1`.
 *
 * @returns null for rules that keep the weight itself.
 */
export function materialiseKernel(rule: Rule): PointwiseKernel | null {
  const { optimizer, fields, precision, variant } = rule;
  const { materialise } = optimizer;
  if (!materialise) return null;
  const inputs: Record<string, Input> = { scale: scalar("f32") };
  for (const { name, field, held } of fields)
    if (field.role === "part") inputs[name] = element(storageOf(held));
  const uniforms = { ...uniformTypes(rule), noise: "f32", own0: "u32", own1: "u32" } as const;
  return pointwise(`${optimizer.name} weights`, inputs, uniforms, (values) => {
    const scope = values as Readonly<Record<string, Value>>;
    const uniform = (name: string): Value => scope[name];
    const part = (name: string): Value => weightValue(precision.weight, scope[name], scope.scale);
    const bits = (stream: number): Value => ownBits(scope, stream);
    const value = materialise({ part, scale: scope.scale, bits, noise: scope.noise, uniform }, variant);
    return { w: output("f32", value) };
  });
}
