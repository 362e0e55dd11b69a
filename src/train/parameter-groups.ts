/** Which optimiser trains which parameter. */
import { createGroup, type GroupSpec, type OptimizerGroup } from "../optim/group.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Options } from "../optim/options.ts";
import { layerOfParameter, policyAt } from "../precision/layers.ts";
import type { StatePrecision } from "../optim/fields.ts";
import type { Policy } from "../precision/policy.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";

export interface GroupsSpec {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  readonly options: Options;
  /** What trains the exempt parameters. */
  readonly exemptOptimizer: Optimizer;
  readonly exemptOptions: Options;
  /** Whether it trains the embeddings too. */
  readonly exemptEmbeddings: boolean;
  readonly policy: Policy;
  readonly seed: number;
}

const FLOAT32_STATE: StatePrecision = { weight: null, gradient: null, moment: { first: null, second: null } };

/**
 * Up to three kinds of groups:
 *
 * - matrices (and embeddings, unless exempt) under the chosen optimiser, in the policy's formats;
 * - exempt embeddings under the exempt optimiser, weights in the policy's `embedding` format, moments in its `moment`;
 * - biases and norms, which start at zero or must be able to change sign, under the exempt optimiser in float32: less
 *   than one weight in a hundred.
 *
 * Layers that the policy gives formats of their own form groups of their own.
 */
export async function createGroups(spec: GroupsSpec): Promise<OptimizerGroup[]> {
  const { policy, seed, exemptEmbeddings } = spec;
  const of = (...kinds: ParameterKind[]): Parameter[] =>
    spec.parameters.filter(({ kind }) => kinds.includes(kind));
  const main = { optimizer: spec.optimizer, options: spec.options, seed };
  const exempt = { optimizer: spec.exemptOptimizer, options: spec.exemptOptions, seed };
  const embeddings = byPrecision(policy, "embedding", exemptEmbeddings ? of("embedding") : []);
  const weights = byPrecision(policy, "update", exemptEmbeddings ? of("matrix") : of("matrix", "embedding"));
  const specs: GroupSpec[] = [
    ...weights.map((part) => ({ ...main, ...part })),
    ...embeddings.map((part) => ({ ...exempt, ...part })),
    { ...exempt, precision: FLOAT32_STATE, parameters: of("bias", "norm") },
  ];
  const groups: OptimizerGroup[] = [];
  for (const group of specs) if (group.parameters.length > 0) groups.push(await createGroup(group));
  return groups;
}

/** Parameters that lie in the same formats between steps, together. */
function byPrecision(
  policy: Policy,
  role: "update" | "embedding",
  parameters: readonly Parameter[],
): { precision: StatePrecision; parameters: Parameter[] }[] {
  const parts = new Map<string, { precision: StatePrecision; parameters: Parameter[] }>();
  for (const parameter of parameters) {
    const { gradient, moment, [role]: weight } = policyAt(policy, layerOfParameter(parameter.name));
    const precision = { weight, gradient, moment };
    const key = JSON.stringify(precision);
    const part = parts.get(key) ?? { precision, parameters: [] };
    parts.set(key, part);
    part.parameters.push(parameter);
  }
  return [...parts.values()];
}
