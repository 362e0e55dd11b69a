/** What is said when a run goes to NaN or infinity. */
import { rungsOf, type ScalarFormat } from "../formats/index.ts";
import type { Parameter } from "../tensor/parameter.ts";
import type { Gradients } from "../tensor/tape.ts";
import { visitTensor } from "../tensor/pieces.ts";
import { isCoded, readTensor, readValues, type Tensor } from "../tensor/tensor.ts";

/** Thrown when a run goes to NaN or infinity: nothing of that step is saved. */
export class DivergenceError extends Error {
  override name = "DivergenceError";
  readonly step: number;

  /** @param what  what is not finite, as in `the loss is NaN`. */
  constructor(step: number, what: string, diagnosis: string) {
    super(
      `logrung: ${what} at step ${step}: ${diagnosis}. ` +
        `The checkpoints before it are untouched; a smaller learning rate or a longer warm-up usually helps`,
    );
    this.step = step;
  }
}

/** Share of a ladder tensor's codes at the top rung; null for other encodings. */
async function saturation(parameter: Parameter): Promise<number | null> {
  const { tensor } = parameter;
  const ladder = isCoded(tensor) ? rungsOf(tensor.encoding.format) : null;
  if (!ladder) return null;
  const codes = await readTensor(tensor);
  let top = 0;
  for (const code of codes) if ((Number(code) & ladder.top) === ladder.top) top++;
  return top / codes.length;
}

/**
 * Names the first tensor, in the model's order, that holds a value that is not finite.
 *
 * @param otherwise  what to say where there is none.
 */
export async function diagnose(
  parameters: readonly Parameter[],
  gradients: Gradients,
  otherwise = "all weights and gradients are still finite, so the activations overflowed",
): Promise<string> {
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
  return otherwise;
}

const isFinite = ({ info }: ScalarFormat): boolean => !info.hasInf && !info.hasNaN;

async function isFiniteThroughout(tensor: Tensor): Promise<boolean> {
  if (tensor.encoding.kind !== "float32") return (await readValues(tensor)).every(Number.isFinite);
  let all = true;
  await visitTensor(tensor, (piece) => {
    all &&= piece.every(Number.isFinite);
  });
  return all;
}

/**
 * Checks what a checkpoint is about to keep; codes of a format without Inf and NaN are finite by nature.
 *
 * @param step  the last step done.
 * @throws DivergenceError naming the first tensor that holds a NaN or an infinity.
 */
export async function expectFinite(step: number, tensors: Readonly<Record<string, Tensor>>): Promise<void> {
  for (const [name, tensor] of Object.entries(tensors)) {
    if (isCoded(tensor) && isFinite(tensor.encoding.format)) continue;
    if (await isFiniteThroughout(tensor)) continue;
    const diagnosis = `"${name}" is the first tensor with a NaN or an infinity after its update`;
    throw new DivergenceError(step, "the state is not finite", diagnosis);
  }
}
