/** Parameters that a pass reads and does not learn from. */
import type { Parameter } from "../tensor/parameter.ts";

/**
 * Runs `body` with parameters that no gradient flows to: their own is not computed, those of what they work on are.
 *
 * @param body  computes at once; the parameters are as they were when it returns.
 */
export function withoutGradients<T>(parameters: readonly Parameter[], body: () => T): T {
  const tensors = parameters.map(({ tensor }) => tensor);
  for (const parameter of parameters) parameter.tensor = { ...parameter.tensor, tracked: false };
  try {
    return body();
  } finally {
    parameters.forEach((parameter, i) => (parameter.tensor = tensors[i]));
  }
}
