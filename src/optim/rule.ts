/** What the kernels of an optimiser have in common: a rule under a policy, and the values it reads. */
import { format as formatOf } from "../formats/index.ts";
import { decodeValue } from "../kernels/codec.ts";
import { index, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, scalar, type Input } from "../kernels/signature.ts";
import { fieldsOf, fieldUniforms, type HeldField, type StatePrecision } from "./fields.ts";
import { isScaled, readHeld, ladderHeld, storageOf, type Held } from "./held.ts";
import type { Optimizer, Variant } from "./optimizer.ts";
import type { Options } from "./options.ts";

/** An optimiser with its options, under a policy: all that its kernels depend on. */
export interface Rule {
  readonly optimizer: Optimizer;
  readonly options: Options;
  readonly precision: StatePrecision;
  readonly fields: readonly HeldField[];
  readonly variant: Variant;
  /** Whether gradients are clipped value by value. */
  readonly clips: boolean;
}

/** @throws OptionError for formats that cannot hold a field. */
export function ruleOf(
  optimizer: Optimizer,
  options: Options,
  precision: StatePrecision,
  clips: boolean,
): Rule {
  const variant = variantOf(options, precision.weight);
  return { optimizer, options, precision, fields: fieldsOf(optimizer, options, precision), variant, clips };
}

/** What a rule is told of the format that its weights lie in. */
export function variantOf(options: Options, weight: Held): Variant {
  const ladder = ladderHeld(weight);
  return {
    options,
    onLadder: ladder !== null,
    octavesPerRung: ladder?.octavesPerRung ?? null,
    rungs: ladder ? ladder.highest - ladder.lowest + 1 : null,
  };
}

/** The numbers of a step that all tensors of a group share. */
export function stepUniforms({ optimizer, options, fields, variant }: Rule, lr: number, t: number) {
  return { ...optimizer.uniforms(options, lr, t, variant), ...fieldUniforms(fields, t) };
}

/** The inputs and uniforms of a kernel. */
export type Values = Readonly<Record<string, Value>>;

/** Names of the two sides of a tensor's number in a kernel. */
export const beforeOf = (field: string): string => `${field}.before`;

export const uniformTypes = (rule: Rule): Record<string, "f32" | "u32"> => ({
  ...Object.fromEntries(Object.keys(stepUniforms(rule, 1, 1)).map((name) => [name, "f32" as const])),
  gain: "f32",
  ...(rule.clips ? { clip: "f32" } : {}),
});

/** The gradient as every program of a step reads it: decoded, scaled, clipped, and as the rule wants it. */
export function gradientOf(rule: Rule, scope: Values, w: Value): Value {
  const { gradient } = rule.precision;
  const decoded = gradient ? decodeValue(formatOf(gradient.format), scope.g).mul(scope.gScale) : scope.g;
  const gained = decoded.mul(scope.gain);
  const g = rule.clips ? gained.clamp(scope.clip.neg(), scope.clip) : gained;
  return rule.optimizer.gradient?.({ w, g, uniform: (name) => scope[name] }, rule.variant) ?? g;
}

/** The value of a weight or part as it lies in memory. */
export const weightValue = (held: Held, stored: Value, scale: Value): Value =>
  isScaled(held) ? readHeld(held, stored).mul(scale) : readHeld(held, stored);

/** The inputs that every program of a step reads elements of. */
export function elementInputs({ optimizer, precision }: Rule): Record<string, Input> {
  return {
    w: element(optimizer.materialise ? "f32" : storageOf(precision.weight)),
    g: element(storageOf(precision.gradient)),
    scale: scalar("f32"),
    ...(precision.gradient ? { gScale: scalar("f32") } : {}),
  };
}

/** The tensor that a reduction of the optimiser's ends in. */
export const reducedName = (name: string): string => `reduced.${name}`;

/** What a stream of the rule's own random bits adds to the first word of the key. */
export const streamOffset = (stream: number): number => Math.imul(stream, 0x632be5ab) >>> 0;

/** The rule's own random bits: a stream is a step of its own through the key. */
export const ownBits = ({ own0, own1 }: Values, stream: number): Value =>
  randomBits(index(), own0.add(streamOffset(stream)), own1);
