/** Gradients added up over several backward passes of one step. */
import { pointwise } from "../kernels/pointwise.ts";
import { element, output } from "../kernels/signature.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Gradients } from "../tensor/tape.ts";
import { sizeOf, type Tensor } from "../tensor/tensor.ts";

const addTo = pointwise("add gradients", { sum: element("f32"), g: element("f32") }, {}, ({ sum, g }) => ({
  sum: output("f32", sum.add(g)),
}));

/** Sums by parameter: the tensor that a gradient belongs to may be another in each pass. */
export class GradientSum {
  private readonly sums = new Map<Parameter, Tensor>();
  private readonly parameters: readonly Parameter[];

  constructor(parameters: readonly Parameter[]) {
    this.parameters = parameters;
  }

  /** Adds the gradients of a pass, in one dispatch, and frees those it has added. */
  add(gradients: Gradients): void {
    const found = this.parameters.flatMap((parameter) => {
      const gradient = gradients.get(parameter.tensor);
      return gradient ? [{ parameter, gradient }] : [];
    });
    const later = found.filter(({ parameter }) => this.sums.has(parameter));
    const calls = later.flatMap(({ parameter, gradient }) => {
      const sum = this.sums.get(parameter);
      const sizes = { rows: 1, columns: sizeOf(gradient.shape) };
      return sum ? [{ inputs: { sum, g: gradient }, outputs: {}, sizes }] : [];
    });
    if (later.length > 0) later[0].gradient.device.runAll(addTo, calls);
    for (const { parameter, gradient } of found) {
      if (this.sums.has(parameter)) gradient.device.free(gradient);
      else this.sums.set(parameter, gradient);
    }
  }

  /** The sums, by the tensors that parameters have now. */
  total(): Gradients {
    return new Map([...this.sums].map(([{ tensor }, sum]) => [tensor, sum]));
  }
}
