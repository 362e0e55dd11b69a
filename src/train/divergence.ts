/** What is said when a run goes to NaN or infinity. */
import type { Parameter } from "../tensor/parameter.ts";
import type { Gradients } from "../tensor/tape.ts";
import { isCoded, readTensor, readValues } from "../tensor/tensor.ts";

/** Thrown when the loss is no finite number; the weights are those before the step. */
export class DivergenceError extends Error {
  override name = "DivergenceError";
  readonly step: number;
  constructor(step: number, loss: number, diagnosis: string) {
    super(
      `logrung: the loss is ${loss} at step ${step}: ${diagnosis}. ` +
        `The checkpoints before it are untouched; a smaller learning rate or a longer warm-up usually helps`,
    );
    this.step = step;
  }
}

/** Share of a ladder tensor's codes at the top rung; null for other encodings. */
async function saturation(parameter: Parameter): Promise<number | null> {
  const { tensor } = parameter;
  if (!isCoded(tensor) || tensor.encoding.format.coding.kind !== "ladder") return null;
  const { rungs } = tensor.encoding.format.coding;
  const codes = await readTensor(tensor);
  let top = 0;
  for (const code of codes) if ((Number(code) & rungs) === rungs) top++;
  return top / codes.length;
}

/** Names the first tensor, in the model's order, that holds a value that is not finite. */
export async function diagnose(parameters: readonly Parameter[], gradients: Gradients): Promise<string> {
  for (const parameter of parameters) {
    const weights = await readValues(parameter.tensor);
    if (!weights.every(Number.isFinite)) return `weight "${parameter.name}" is not finite`;
  }
  for (const parameter of parameters) {
    const gradient = gradients.get(parameter.tensor);
    if (!gradient || (await readValues(gradient)).every(Number.isFinite)) continue;
    const share = await saturation(parameter);
    const codes = share === null ? "" : ` (${(100 * share).toFixed(1)} % of its codes are at the top rung)`;
    return `the gradient of "${parameter.name}" is the first that is not finite${codes}`;
  }
  return "all weights and gradients are still finite, so the activations overflowed";
}
