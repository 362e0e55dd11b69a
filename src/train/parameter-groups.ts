/** Which optimiser trains which parameter. */
import { createGroup, type OptimizerGroup } from "../optim/group.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Options } from "../optim/options.ts";
import type { StatePrecision } from "../optim/update-kernel.ts";
import type { Policy } from "../precision/policy.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";

export interface GroupsSpec {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  readonly options: Options;
  /** What trains the exempt parameters, in float32. */
  readonly exemptOptimizer: Optimizer;
  readonly exemptOptions: Options;
  /** Exempt the embeddings too. */
  readonly exemptEmbeddings: boolean;
  readonly policy: Policy;
  readonly seed: number;
}

const FLOAT32_STATE: StatePrecision = { weight: null, gradient: null, moment: { first: null, second: null } };

/**
 * Two groups: matrices and embeddings under the chosen optimiser in the policy's formats; biases and norms, which
 * start at zero or must be able to change sign, under another (AdamW, usually) in float32. They are less than one
 * weight in a hundred.
 */
export async function createGroups(spec: GroupsSpec): Promise<OptimizerGroup[]> {
  const { policy, seed } = spec;
  const exemptKinds: readonly ParameterKind[] = spec.exemptEmbeddings
    ? ["bias", "norm", "embedding"]
    : ["bias", "norm"];
  const isExempt = ({ kind }: Parameter): boolean => exemptKinds.includes(kind);
  const main = await createGroup({
    optimizer: spec.optimizer,
    options: spec.options,
    precision: { weight: policy.update, gradient: policy.gradient, moment: policy.moment },
    parameters: spec.parameters.filter((p) => !isExempt(p)),
    seed,
  });
  const exempt = await createGroup({
    optimizer: spec.exemptOptimizer,
    options: spec.exemptOptions,
    precision: FLOAT32_STATE,
    parameters: spec.parameters.filter(isExempt),
    seed,
  });
  return [main, exempt].filter((group) => group.slots.length > 0);
}
