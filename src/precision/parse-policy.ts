/** Policies from names and from configuration files. */
import { format, roundings, type Rounding } from "../formats/format.ts";
import { suggestion } from "../formats/nearest-name.ts";
import { tensorRoles, type Policy, type ScaleRule, type TensorPrecision } from "./policy.ts";
import { presets } from "./presets.ts";

/** Thrown for a policy that is unknown or says something that cannot be. */
export class PolicyError extends RangeError {
  override name = "PolicyError";
}

const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === "object" && x !== null && !Array.isArray(x);
const show = (x: unknown): string => JSON.stringify(x) ?? String(x);

function checkKeys(where: string, object: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  for (const key of Object.keys(object))
    if (!known.includes(key))
      throw new PolicyError(`logrung: unknown key "${key}" in ${where} ${suggestion(key, known)}`);
}

function parseScale(where: string, scale: unknown): ScaleRule {
  if (scale === undefined) return "tensor";
  if (scale === "tensor" || scale === "channel") return scale;
  if (typeof scale === "number" && scale > 0 && Number.isInteger(Math.log2(scale))) return scale;
  throw new PolicyError(
    `logrung: ${where}.scale is ${show(scale)}, wants "tensor", "channel" or a power of two`,
  );
}

function parseRounding(where: string, rounding: unknown): Rounding {
  if (rounding === undefined) return "nearest-even";
  const known = roundings.find((name) => name === rounding);
  if (known === undefined)
    throw new PolicyError(
      `logrung: unknown ${where}.rounding ${show(rounding)} ${suggestion(String(rounding), roundings)}`,
    );
  return known;
}

/** A format's name alone stands for nearest rounding and a scale for each tensor. */
function parsePrecision(where: string, value: unknown): TensorPrecision | null {
  if (value === null) return null;
  const object = typeof value === "string" ? { format: value } : value;
  if (!isRecord(object))
    throw new PolicyError(`logrung: ${where} is ${show(value)}, wants null, a format or an object`);
  checkKeys(where, object, ["format", "rounding", "scale"]);
  if (typeof object.format !== "string")
    throw new PolicyError(`logrung: ${where}.format is ${show(object.format)}, wants the name of a format`);
  return {
    format: format(object.format).name,
    rounding: parseRounding(where, object.rounding),
    scale: parseScale(where, object.scale),
  };
}

/** Operands of products may have a scale per channel; what the optimiser reads and writes has one a tensor. */
const perChannel: readonly string[] = ["weight", "activation", "error"];

function parseEntry(where: string, value: unknown): TensorPrecision | null {
  const precision = parsePrecision(where, value);
  if (precision?.scale !== "channel" || perChannel.includes(where)) return precision;
  throw new PolicyError(
    `logrung: ${where}.scale is "channel", wants "tensor" or a power of two ` +
      `(scales per channel: ${perChannel.join(", ")})`,
  );
}

function presetNamed(name: unknown): Policy {
  const known: Readonly<Record<string, Policy>> = presets;
  if (typeof name !== "string" || !Object.hasOwn(known, name))
    throw new PolicyError(
      `logrung: unknown precision policy ${show(name)} ${suggestion(String(name), Object.keys(presets))}`,
    );
  return known[name];
}

function parseMoment(moment: unknown, base: Policy["moment"]): Policy["moment"] {
  if (moment === undefined) return base;
  if (!isRecord(moment)) throw new PolicyError(`logrung: moment is ${show(moment)}, wants { first, second }`);
  checkKeys("moment", moment, ["first", "second"]);
  const entry = (which: "first" | "second"): TensorPrecision | null =>
    which in moment ? parseEntry(`moment.${which}`, moment[which]) : base[which];
  return { first: entry("first"), second: entry("second") };
}

/**
 * A policy from a preset's name, or from an object of a policy's entries. Entries that the object does not have come
 * from its `preset` (default `fp32`). An entry is null (float32), a format's name, or
 * { format, rounding = "nearest-even", scale = "tensor" }.
 *
 * @throws PolicyError naming the entry and what it may be.
 * @throws UnknownFormatError naming the nearest known format.
 * @example parsePolicy({ preset: "state8", activation: "lns8-g8", moment: { second: "bf16" } })
 */
export function parsePolicy(policy: unknown): Policy {
  if (!isRecord(policy)) return presetNamed(policy);
  checkKeys("precision policy", policy, ["preset", "name", ...tensorRoles, "moment"]);
  const base = presetNamed(policy.preset ?? "fp32");
  const name = policy.name ?? "custom";
  if (typeof name !== "string") throw new PolicyError(`logrung: name is ${show(name)}, wants a string`);
  const roles = tensorRoles.map((role) => [
    role,
    role in policy ? parseEntry(role, policy[role]) : base[role],
  ]);
  return { ...base, ...Object.fromEntries(roles), name, moment: parseMoment(policy.moment, base.moment) };
}
