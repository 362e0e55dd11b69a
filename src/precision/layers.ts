/** A policy at one layer: patterns over names of layers. */
import { PolicyError } from "./policy-error.ts";
import { stateRoles, type LayerPolicy, type Policy } from "./policy.ts";

const matchers = new Map<string, RegExp>();

/** `*` stands for any characters, dots too; `?` for one; all else for itself. */
function matcherOf(pattern: string): RegExp {
  const known = matchers.get(pattern);
  if (known) return known;
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  const matcher = new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
  matchers.set(pattern, matcher);
  return matcher;
}

/** Whether a layer's name fits a pattern: `h.*` fits `h.0.attn.c_attn`, `*.c_fc` fits `h.3.mlp.c_fc`. */
export const layerMatches = (pattern: string, layer: string): boolean => matcherOf(pattern).test(layer);

const resolved = new WeakMap<Policy, Map<string, LayerPolicy>>();

/**
 * The policy of one layer: that of the model with the overrides of every pattern the layer's name fits, in the order
 * they are written, role by role, a later over an earlier one. The same policy and layer give the same object.
 */
export function policyAt(policy: Policy, layer: string): LayerPolicy {
  const known = resolved.get(policy) ?? new Map<string, LayerPolicy>();
  resolved.set(policy, known);
  const found = known.get(layer);
  if (found) return found;
  const overrides = Object.entries(policy.layers).filter(([pattern]) => layerMatches(pattern, layer));
  const at: LayerPolicy = Object.assign({}, policy, ...overrides.map(([, override]) => override));
  known.set(layer, at);
  return at;
}

/** The layer that a parameter belongs to: its name without the last part, `h.0.ln_1` for `h.0.ln_1.bias`. */
export const layerOfParameter = (parameter: string): string =>
  parameter.slice(0, Math.max(0, parameter.lastIndexOf(".")));

const stateNames: readonly string[] = [...stateRoles, "moment"];

/**
 * Refuses patterns that would do nothing: that fit no layer, or that change what the optimiser holds where no layer
 * has weights of its own, or what passes read where no layer reads.
 *
 * @param layers      every layer of the model that asks for a precision in its passes.
 * @param parameters  names of the parameters that the optimiser holds in the policy's formats.
 * @throws PolicyError naming the pattern and the layers.
 */
export function checkLayers(policy: Policy, layers: readonly string[], parameters: readonly string[]): void {
  const owners = parameters.map(layerOfParameter);
  for (const [pattern, overrides] of Object.entries(policy.layers)) {
    const roles = Object.keys(overrides);
    const ofState = roles.some((role) => stateNames.includes(role)) ? owners : [];
    const ofPasses = roles.every((role) => stateNames.includes(role)) ? [] : layers;
    const known = [...new Set([...ofPasses, ...ofState])];
    if (known.some((layer) => layerMatches(pattern, layer))) continue;
    throw new PolicyError(
      `logrung: the precision's pattern "${pattern}" (${roles.join(", ")}) fits no layer; ` +
        `layers with such a role: ${known.join(", ")}`,
    );
  }
}
