/** A policy in words, for people. */
import { stateRoles, passRoles, type LayerOverrides, type Policy, type TensorPrecision } from "./policy.ts";

/**
 * One entry: the format, then what is not as usual.
 *
 * @example "lns8-g8 (stochastic, scale 256)", "mxfp8-e4m3 (blocks of 32)", "fp32"
 */
export function describePrecision(precision: TensorPrecision | null): string {
  if (precision === null) return "fp32";
  const { format, rounding, scale, from, powerOfTwo, block, scaleRule } = precision;
  const notes = [
    ...(rounding === "nearest-even" ? [] : [rounding]),
    ...(scale === "block" ? [`blocks${block === undefined ? "" : ` of ${block}`}`] : []),
    ...(scale === "channel" || typeof scale === "number" ? [`scale ${scale}`] : []),
    ...(from === "rms" ? ["scale by rms"] : []),
    ...(powerOfTwo ? ["power of two"] : []),
    ...(scaleRule === undefined ? [] : [`exponents ${scaleRule}`]),
  ];
  return notes.length === 0 ? format : `${format} (${notes.join(", ")})`;
}

/** Roles with their formats, as far as they are given: `weight fp32, activation bf16`; equal neighbours together. */
function describeRoles(roles: LayerOverrides): string {
  const entries: [string, string][] = [];
  const say = (role: string, precision: TensorPrecision | null | undefined): void => {
    if (precision === undefined) return;
    const text = describePrecision(precision);
    const last = entries.at(-1);
    if (last?.[1] === text) last[0] += `, ${role}`;
    else entries.push([role, text]);
  };
  for (const role of [...passRoles, ...stateRoles]) say(role, roles[role]);
  say("first moment", roles.moment?.first);
  say("second moment", roles.moment?.second);
  const passes = roles.passes === undefined ? [] : [`passes ${roles.passes}`];
  return [...entries.map(([names, text]) => `${names}: ${text}`), ...passes].join("; ");
}

/** Lines of a policy: its formats by role, then what each pattern of layers changes. */
export function describePolicy(policy: Policy): string[] {
  const { name, layers, ...roles } = policy;
  return [
    `${name}: ${describeRoles(roles)}`,
    ...Object.entries(layers).map(([pattern, overrides]) => `${pattern}: ${describeRoles(overrides)}`),
  ];
}
