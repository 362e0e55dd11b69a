/** Builds the one pointwise kernel that is a step of an optimiser, for given formats in memory. */
import { format as formatOf } from "../formats/index.ts";
import { roundingMagic, roundingMagicBits } from "../formats/log2-fixed.ts";
import { decodeValue } from "../kernels/codec.ts";
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { f32, index, select, type Value } from "../kernels/program.ts";
import { randomBits } from "../kernels/random.ts";
import { element, output, scalar, type Input, type Output } from "../kernels/signature.ts";
import { fieldsOf, fieldUniforms, type HeldField, type StatePrecision } from "./fields.ts";
import {
  bySignBit,
  climb,
  isScaled,
  largestOf,
  readHeld,
  rungsHeld,
  storageOf,
  writeHeld,
  type Held,
  type Rungs,
} from "./held.ts";
import { moments } from "./moments.ts";
import type { Change, FieldValues, Optimizer, UpdateScope, Variant } from "./optimizer.ts";
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
  const octavesPerRung = rungsHeld(precision.weight)?.octavesPerRung ?? null;
  const variant = { options, onLadder: octavesPerRung !== null, octavesPerRung };
  return { optimizer, options, precision, fields: fieldsOf(optimizer, options, precision), variant, clips };
}

/** The numbers of a step that all tensors of a group share. */
export function stepUniforms({ optimizer, options, fields, variant }: Rule, lr: number, t: number) {
  return { ...optimizer.uniforms(options, lr, t, variant), ...fieldUniforms(fields, t) };
}

type Values = Readonly<Record<string, Value>>;

/** Names of the two sides of a tensor's number in a kernel. */
export const beforeOf = (field: string): string => `${field}.before`;

export const uniformTypes = (rule: Rule): Record<string, "f32" | "u32"> => ({
  ...Object.fromEntries(Object.keys(stepUniforms(rule, 1, 1)).map((name) => [name, "f32" as const])),
  gain: "f32",
  ...(rule.clips ? { clip: "f32" } : {}),
});

/** The gradient as every program of a step reads it: decoded, scaled, clipped. */
export function gradientOf(
  { precision: { gradient }, clips }: Rule,
  { g, gScale, gain, clip }: Values,
): Value {
  const decoded = gradient ? decodeValue(formatOf(gradient.format), g).mul(gScale) : g;
  const gained = decoded.mul(gain);
  return clips ? gained.clamp(clip.neg(), clip) : gained;
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

/** How many bits a stored number's random word is shifted by; see {@link wordOf}. */
const shifts = [0, 10, 20];

/**
 * One random word serves up to three roundings of an element: each takes it from another place. The encoders look at the
 * leading bits first, and a shift by 10 or 20 leaves 22 and 12 of them. The weight or the first part has the first
 * place, then come first moments, then second ones; more stored numbers draw words of their own.
 */
function wordOf(rule: Rule, scope: Values, word: Value): (name: string) => Value {
  const roles = ["part", "first", "second"];
  const stored = rule.fields
    .filter(({ field }) => roles.includes(field.role))
    .toSorted((a, b) => roles.indexOf(a.field.role) - roles.indexOf(b.field.role));
  const names = [...(rule.optimizer.materialise ? [] : ["w"]), ...stored.map(({ name }) => name)];
  return (name) => {
    const place = names.indexOf(name);
    if (place < shifts.length) return word.shl(shifts[place]);
    return randomBits(index(), scope.key1, scope.key0.add(place)).add(scope.phase);
  };
}

/**
 * The kernel of one step over one tensor.
 *
 * Inputs: `w`, `g`, `scale` (σ*; of codes, what they are multiples of), `gScale` (coded gradients), every field, and
 * `<number>.before` beside each number of the tensor. Outputs, in place: `w`, moments, parts. Uniforms: those of the
 * step, `gain`, `clip`, and `key0`, `key1`, `phase` (roundings), `own0`, `own1` (the rule's own random bits).
 */
export function updateKernel(rule: Rule): PointwiseKernel {
  const { optimizer, fields, variant } = rule;
  const inputs = elementInputs(rule);
  for (const { name, field, held } of fields) {
    if (field.role !== "number") inputs[name] = element(storageOf(held));
    else Object.assign(inputs, { [name]: scalar("f32"), [beforeOf(name)]: scalar("f32") });
  }
  for (const name of Object.keys(optimizer.reductions?.(rule.options) ?? {}))
    inputs[reducedName(name)] = scalar("f32");
  const uniforms = {
    ...uniformTypes(rule),
    key0: "u32",
    key1: "u32",
    phase: "u32",
    own0: "u32",
    own1: "u32",
  } as const;
  return pointwise(`${optimizer.name} step`, inputs, uniforms, (values) => {
    const scope = values as Values;
    const word = wordOf(rule, scope, randomBits(index(), scope.key0, scope.key1).add(scope.phase));
    const number = (name: string): FieldValues => ({ before: scope[beforeOf(name)], value: scope[name] });
    const uniform = (name: string): Value => scope[name];
    const g = gradientOf(rule, scope);
    const state = moments(fields, { g, stored: uniform, number, bits: word, uniform });
    const field = (name: string): FieldValues => state.values.get(name) ?? ownField(rule, scope, name);
    const { w, bySign } = weightScope(rule, scope);
    const m = state.values.get("m")?.value ?? g;
    const v = state.values.get("v")?.value ?? f32(0);
    const bits = (stream: number): Value => ownBits(scope, stream);
    const reduced = (name: string): Value => scope[reducedName(name)];
    const read: UpdateScope = {
      w,
      bySign,
      g,
      m,
      v,
      field,
      reduced,
      scale: boundOf(rule, scope),
      bits,
      uniform,
    };
    const update = optimizer.update(read, variant);
    const outputs: Record<string, Output> = { ...state.outputs };
    if (update.kind !== "none") outputs.w = changed(rule, update, scope, "w", word("w"));
    for (const [part, change] of Object.entries(update.parts ?? {}))
      outputs[part] = changed(rule, change, scope, part, word(part));
    return outputs;
  });
}

/** The tensor that a reduction of the optimiser's ends in. */
export const reducedName = (name: string): string => `reduced.${name}`;

/** The rule's own random bits: a stream is a step of its own through the key. */
export const ownBits = ({ own0, own1 }: Values, stream: number): Value =>
  randomBits(index(), own0.add(Math.imul(stream, 0x632be5ab) >>> 0), own1);

function ownField({ fields, precision }: Rule, scope: Values, name: string): FieldValues {
  const found = fields.find((field) => field.name === name);
  if (!found) throw new TypeError(`logrung: the optimiser keeps no field "${name}"`);
  if (found.field.role === "number") return { before: scope[beforeOf(name)], value: scope[name] };
  const value = weightValue(precision.weight, scope[name], scope.scale);
  return { before: value, value };
}

const movesScale = ({ fields }: Rule): boolean =>
  fields.some(({ name, field }) => name === "scale" && field.role === "number");

/** What codes are multiples of, before the step and after it. */
function scalesOf(rule: Rule, scope: Values): FieldValues {
  return { before: movesScale(rule) ? scope[beforeOf("scale")] : scope.scale, value: scope.scale };
}

/** σ* */
function boundOf({ precision: { weight } }: Rule, { scale }: Values): Value {
  const largest = isScaled(weight) ? largestOf(weight) : 1;
  return largest === 1 ? scale : scale.mul(largest);
}

function weightScope(rule: Rule, scope: Values): Pick<UpdateScope, "w" | "bySign"> {
  const { precision, optimizer } = rule;
  if (optimizer.materialise) return { w: scope.w, bySign: (x) => x.mul(signOf(scope.w)) };
  const w = weightValue(precision.weight, scope.w, scalesOf(rule, scope).before);
  const rungs = rungsHeld(precision.weight);
  const signed = precision.weight !== null && formatOf(precision.weight.format).info.signBit !== null;
  if (rungs && signed) return { w, bySign: (x) => bySignBit(rungs, scope.w, x) };
  return { w, bySign: (x) => x.mul(signOf(w)) };
}

const signOf = (w: Value): Value => select(w.gt(0), f32(1), select(w.lt(0), f32(-1), f32(0)));

/** A weight or part after its change, in its storage. */
function changed(rule: Rule, change: Change, scope: Values, name: string, bits: Value): Output {
  const held = rule.precision.weight;
  const storage = storageOf(held);
  const scale = scalesOf(rule, scope);
  const rungs = rungsHeld(held);
  if (change.kind === "multiplicative" && held && rungs) {
    const whole = rungsOf(held, rungs, change, movesScale(rule) ? scale : null, bits);
    return output(storage, climb(rungs, scope[name], whole));
  }
  const old = weightValue(held, scope[name], scale.before);
  const value =
    change.kind === "additive"
      ? change.value
      : bounded(old.mul(times(change.octaves, change.unit ?? 1).exp2()), boundOf(rule, scope));
  return output(storage, writeHeld(held, isScaled(held) ? value.div(scale.value) : value, bits));
}

const bounded = (w: Value, top: Value): Value => w.clamp(top.neg(), top);
const times = (x: Value, factor: number): Value => (factor === 1 ? x : x.mul(factor));

/** round(Δ log₂|w| in rungs): from here on integers are added, no float weight anywhere. */
function rungsOf(
  { rounding }: NonNullable<Held>,
  { octavesPerRung }: Rungs,
  { octaves, unit = 1 }: Extract<Change, { kind: "multiplicative" }>,
  scale: FieldValues | null,
  bits: Value,
): Value {
  const moved = scale
    ? scale.before
        .div(scale.value)
        .log2()
        .mul(1 / octavesPerRung)
    : null;
  const perUnit = unit / octavesPerRung;
  if (rounding !== "stochastic") {
    const steps = times(octaves, perUnit);
    return nearestInteger(moved ? steps.add(moved) : steps);
  }
  // ⌊x + u⌋ = round(x + u - ½)
  const shifted = octaves.fma(perUnit, moved ? moved.sub(1.5) : -1.5);
  return nearestInteger(shifted.add(fromOneToTwo(bits)));
}

/** A float32 in [1, 2) from the upper 23 random bits: they are its mantissa. */
const fromOneToTwo = (bits: Value): Value => bits.shr(9).or(0x3f800000).asF32();

/** |x| < 2²² rounded to the nearest integer, ties to even: adding 1.5 · 2²³ leaves it in the low bits of the sum. */
const nearestInteger = (x: Value): Value => x.add(roundingMagic).asI32().sub(roundingMagicBits);
