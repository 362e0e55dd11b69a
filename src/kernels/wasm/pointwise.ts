/** Lowers `pointwise` kernels. */
import type { PointwiseKernel } from "../pointwise.ts";
import { ArgumentLayout, matrixSizes } from "./argument-layout.ts";
import { ConstantPool } from "./constants.ts";
import { estimate } from "./cost.ts";
import type { Lowering } from "./lowering.ts";
import { elementwiseModule } from "./elementwise.ts";

/** Threads share the elements, in multiples of 64: no cache line is written by two of them. */
export const lowerPointwise: Lowering<PointwiseKernel> = (kernel, target) => {
  const { inputs, outputs, uniforms } = kernel;
  const pool = new ConstantPool();
  const layout = new ArgumentLayout({
    sizes: ["total", "columns", "block"],
    uniforms,
    inputs: Object.keys(inputs),
    outputs: Object.keys(outputs),
  });
  const roots = Object.values(outputs).map(({ value }) => value);
  const time = estimate(roots, inputs, outputs);
  const module = elementwiseModule({ target, pool, layout }, inputs, outputs, false);
  return {
    module: module.encode(),
    constants: pool.bytes(),
    encode: (call, address, words) => layout.encode(call, address, words, matrixSizes(call)),
    cost: (call) => {
      const { total, rows } = matrixSizes(call);
      return time(total, rows);
    },
  };
};
