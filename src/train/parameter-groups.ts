/** Which optimiser trains which parameter. */
import type { StatePrecision } from "../optim/fields.ts";
import { createGroup, type GroupSpec, type OptimizerGroup } from "../optim/group.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { OptionError, type Options } from "../optim/options.ts";
import type { Zeros } from "../optim/zeros.ts";
import { layerOfParameter, policyAt } from "../precision/layers.ts";
import type { Policy } from "../precision/policy.ts";
import type { Parameter, ParameterKind } from "../tensor/parameter.ts";
import { visitTensor } from "../tensor/pieces.ts";

/** Parameters by the pattern of their names, under a rule of their own. */
export interface PatternGroup {
  /** A name in which `*` stands for any characters. Of several patterns that fit, the first counts. */
  readonly pattern: string;
  readonly optimizer: Optimizer;
  readonly options: Options;
  /** Where weights, gradients and moments lie: the policy's `update`, `gradient` and `moment`. Default the run's. */
  readonly policy?: Policy;
}

export interface GroupsSpec {
  readonly parameters: readonly Parameter[];
  readonly optimizer: Optimizer;
  readonly options: Options;
  /** What trains the exempt parameters. */
  readonly exemptOptimizer: Optimizer;
  readonly exemptOptions: Options;
  /** Whether it trains the embeddings too. */
  readonly exemptEmbeddings: boolean;
  /** Groups by name, before all other rules. Default none. */
  readonly groups?: readonly PatternGroup[];
  /** What becomes of zero weights under multiplicative rules. Default keep. */
  readonly zeros?: Zeros;
  /** Bound of every gradient value; null, and by default, none. */
  readonly gradientClipValue?: number | null;
  readonly policy: Policy;
  readonly seed: number;
}

const FLOAT32_STATE: StatePrecision = { weight: null, gradient: null, moment: { first: null, second: null } };

/**
 * In this order, each parameter in the first that takes it:
 *
 * - groups by the pattern of names, under their own rules and formats, biases and norms in float32;
 * - biases and norms, which start at zero or must be able to change sign, under the exempt optimiser in float32: less
 *   than one weight in a hundred. Where `zeros` is `exempt`, tensors that are zero as a whole too;
 * - exempt embeddings under the exempt optimiser, weights in the policy's `embedding` format, moments in its `moment`;
 * - everything else under the chosen optimiser, in the policy's formats.
 *
 * Layers that the policy gives formats of their own form groups of their own.
 *
 * @throws OptionError for a pattern that fits no parameter, naming those that are left.
 */
export async function createGroups(spec: GroupsSpec): Promise<OptimizerGroup[]> {
  const { policy, seed, exemptEmbeddings, zeros = "keep", gradientClipValue = null } = spec;
  const left = new Set(spec.parameters);
  const take = (fits: (parameter: Parameter) => boolean): Parameter[] => {
    const taken = [...left].filter(fits);
    for (const parameter of taken) left.delete(parameter);
    return taken;
  };
  const kinds =
    (...list: ParameterKind[]) =>
    (parameter: Parameter): boolean =>
      list.includes(parameter.kind);
  const common = { seed, zeros, clipValue: gradientClipValue };
  const exempt = { ...common, optimizer: spec.exemptOptimizer, options: spec.exemptOptions };
  const patterns = (spec.groups ?? []).flatMap(({ pattern, optimizer, options, policy: own = policy }) =>
    byPrecision(own, "update", takeByName(pattern, left, take), optimizer).map((part) => ({
      ...common,
      optimizer,
      options,
      ...part,
    })),
  );
  const zero = zeros === "exempt" ? await zeroTensors(left) : new Set<Parameter>();
  const plain: GroupSpec = {
    ...exempt,
    precision: FLOAT32_STATE,
    parameters: take((parameter) => kinds("bias", "norm")(parameter) || zero.has(parameter)),
  };
  const embeddings = byPrecision(policy, "embedding", exemptEmbeddings ? take(kinds("embedding")) : []);
  const main = byPrecision(
    policy,
    "update",
    take(() => true),
  );
  const specs: GroupSpec[] = [
    ...main.map((part) => ({ ...common, optimizer: spec.optimizer, options: spec.options, ...part })),
    ...patterns,
    ...embeddings.map((part) => ({ ...exempt, ...part })),
    plain,
  ];
  const groups: OptimizerGroup[] = [];
  for (const group of specs) if (group.parameters.length > 0) groups.push(await createGroup(group));
  return groups;
}

/** Names that a message shows at most. */
const SHOWN = 12;

function takeByName(
  pattern: string,
  left: ReadonlySet<Parameter>,
  take: (fits: (parameter: Parameter) => boolean) => Parameter[],
): Parameter[] {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  const parameters = take(({ name }) => expression.test(name));
  if (parameters.length > 0) return parameters;
  const names = [...left].map(({ name }) => name);
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  throw new OptionError(
    `logrung: the group "${pattern}" fits no parameter that an earlier group has left ` +
      `(left: ${names.slice(0, SHOWN).join(", ") || "none"}${more})`,
  );
}

/**
 * Parameters that lie in the same formats between steps, together. Biases and norms stay in float32, as their operations
 * read them, unless the rule computes weights anew for every pass.
 */
function byPrecision(
  policy: Policy,
  role: "update" | "embedding",
  parameters: readonly Parameter[],
  optimizer?: Optimizer,
): { precision: StatePrecision; parameters: Parameter[] }[] {
  const parts = new Map<string, { precision: StatePrecision; parameters: Parameter[] }>();
  for (const parameter of parameters) {
    const { gradient, moment, [role]: held } = policyAt(policy, layerOfParameter(parameter.name));
    const vector = parameter.kind === "bias" || parameter.kind === "norm";
    const weight = vector && optimizer?.materialise === undefined ? null : held;
    const precision = { weight, gradient, moment };
    const key = JSON.stringify(precision);
    const part = parts.get(key) ?? { precision, parameters: [] };
    parts.set(key, part);
    part.parameters.push(parameter);
  }
  return [...parts.values()];
}

/** Parameters of which every weight is zero. */
async function zeroTensors(parameters: Iterable<Parameter>): Promise<Set<Parameter>> {
  const found = new Set<Parameter>();
  for (const parameter of parameters) {
    let zero = true;
    await visitTensor(parameter.tensor, (piece) => {
      zero &&= piece.every((x) => x === 0);
    });
    if (zero) found.add(parameter);
  }
  return found;
}
