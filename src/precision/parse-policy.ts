/** Policies from names and from configuration files. */
import { suggestion } from "../formats/nearest-name.ts";
import { parseMoment, parsePrecision } from "./parse-precision.ts";
import { checkKeys, isRecord, oneOf, show } from "./parse-values.ts";
import { PolicyError } from "./policy-error.ts";
import {
  passChoices,
  passRoles,
  tensorRoles,
  type LayerOverrides,
  type LayerPolicy,
  type Passes,
  type Policy,
} from "./policy.ts";
import { presets } from "./presets.ts";

export { PolicyError } from "./policy-error.ts";

function presetNamed(name: unknown): Policy {
  const known: Readonly<Record<string, Policy>> = presets;
  if (typeof name !== "string" || !Object.hasOwn(known, name))
    throw new PolicyError(
      `logrung: unknown precision policy ${show(name)} ${suggestion(String(name), Object.keys(presets))}`,
    );
  return known[name];
}

type Entries = Readonly<Record<string, unknown>>;

/**
 * What an object of entries changes of a policy.
 *
 * Where `saved` is not said it follows `activation`, or is null where the backward pass is unquantised; and there
 * `error` goes, as nothing would read it.
 *
 * @param prefix  what messages put before a role's name.
 * @param passes  those that hold where the object says nothing.
 */
function parseChanges(
  prefix: string,
  given: Entries,
  base: { readonly passes: Passes; readonly moment: LayerPolicy["moment"] },
): LayerOverrides {
  const changes: Record<string, unknown> = {};
  if ("passes" in given) changes.passes = oneOf(`${prefix}passes`, given.passes, passChoices);
  const passes = (changes.passes ?? base.passes) as Passes;
  for (const role of tensorRoles) {
    if (role in given) changes[role] = parsePrecision(`${prefix}${role}`, given[role]);
  }
  if ("moment" in given) changes.moment = parseMoment(`${prefix}moment`, given.moment, base.moment);
  if (passes === "forward-only") {
    if (changes.error) {
      throw new PolicyError(
        `logrung: ${prefix}error is ${show(given.error)}, but passes is "forward-only", which rounds no errors: ` +
          `leave error out, or set passes to "both"`,
      );
    }
    if ("passes" in given) changes.error = null;
  }
  if (!("saved" in given) && ("activation" in given || "passes" in given)) {
    if (passes === "forward-only") changes.saved = null;
    else if ("activation" in given) changes.saved = changes.activation;
  }
  return changes as LayerOverrides;
}

/** Null is float32 and a format's name is that format, both for what the passes read; an object says more. */
function parseLayer(pattern: string, value: unknown, base: LayerPolicy): LayerOverrides {
  const where = `layers[${show(pattern)}]`;
  if (value === null || typeof value === "string") {
    if (typeof value === "string" && value !== "bf16" && Object.hasOwn(presets, value)) {
      throw new PolicyError(
        `logrung: ${where} is "${value}", a preset: write { "preset": "${value}" }, or the name of a format`,
      );
    }
    const roles = passRoles.filter(
      (role) => role !== "saved" && (base.passes === "both" || role !== "error"),
    );
    return parseChanges(`${where}.`, Object.fromEntries(roles.map((role) => [role, value])), base);
  }
  if (!isRecord(value)) {
    throw new PolicyError(`logrung: ${where} is ${show(value)}, wants null, a format or an object of roles`);
  }
  checkKeys(where, value, ["preset", "passes", ...tensorRoles, "moment"]);
  if (!("preset" in value)) return parseChanges(`${where}.`, value, base);
  const { name: _name, layers: _layers, ...preset } = presetNamed(value.preset);
  return { ...preset, ...parseChanges(`${where}.`, value, preset) };
}

function parseLayers(layers: unknown, base: LayerPolicy): Policy["layers"] {
  if (layers === undefined) return {};
  if (!isRecord(layers)) {
    throw new PolicyError(`logrung: layers is ${show(layers)}, wants an object of patterns such as "h.0.*"`);
  }
  return Object.fromEntries(
    Object.entries(layers).map(([pattern, value]) => [pattern, parseLayer(pattern, value, base)]),
  );
}

/**
 * A policy from a preset's name, or from an object of a policy's entries. Entries that the object does not have come
 * from its `preset` (default `fp32`). An entry is null (float32), a format's name, or
 * { format, rounding, scale, from, powerOfTwo, block, scaleRule }, of which `format` alone is needed. `layers` maps
 * patterns of layer names to null, a format's name, or such an object again. `docs/precision.md` has it all.
 *
 * @throws PolicyError naming the entry and what it may be.
 * @throws UnknownFormatError naming the nearest known format.
 * @example parsePolicy({ preset: "state8", activation: "lns8-g8", moment: { second: "bf16" } })
 * @example parsePolicy({ preset: "mxfp8", layers: { head: "bf16", "h.0.*": null } })
 */
export function parsePolicy(policy: unknown): Policy {
  if (!isRecord(policy)) return presetNamed(policy);
  checkKeys("precision policy", policy, ["preset", "name", "passes", "layers", ...tensorRoles, "moment"]);
  const preset = presetNamed(policy.preset ?? "fp32");
  const name = policy.name ?? "custom";
  if (typeof name !== "string") throw new PolicyError(`logrung: name is ${show(name)}, wants a string`);
  const whole = { ...preset, ...parseChanges("", policy, preset), name };
  return { ...whole, layers: { ...preset.layers, ...parseLayers(policy.layers, whole) } };
}
