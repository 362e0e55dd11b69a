/** Builds the one pointwise kernel that is a step of an optimiser, for given formats in memory. */
import { pointwise, type PointwiseKernel } from "../kernels/pointwise.ts";
import { f32, index, type Value } from "../kernels/program.ts";
import { roundingBits } from "../kernels/random.ts";
import { element, scalar, type Output } from "../kernels/signature.ts";
import { storageOf } from "./held.ts";
import { moments } from "./moments.ts";
import type { FieldValues, UpdateScope } from "./optimizer.ts";
import {
  beforeOf,
  elementInputs,
  gradientOf,
  ownBits,
  reducedName,
  uniformTypes,
  weightValue,
  type Rule,
  type Values,
} from "./rule.ts";
import { boundOf, changed, octavesOf, weightScope } from "./weight-change.ts";

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
    return roundingBits(index(), scope.key0.add(Math.imul(place, 0x632be5ab) >>> 0)).add(
      scope.phase.add(scope.key1),
    );
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
    const word = wordOf(rule, scope, roundingBits(index(), scope.key0).add(scope.phase.add(scope.key1)));
    const number = (name: string): FieldValues => ({ before: scope[beforeOf(name)], value: scope[name] });
    const uniform = (name: string): Value => scope[name];
    const { w, bySign } = weightScope(rule, scope);
    const g = gradientOf(rule, scope, w);
    const state = moments(fields, { g, stored: uniform, number, bits: word, uniform });
    const field = (name: string): FieldValues => state.values.get(name) ?? ownField(rule, scope, name);
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
      octaves: (part) => octavesOf(rule, scope, part),
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

function ownField({ fields, precision }: Rule, scope: Values, name: string): FieldValues {
  const found = fields.find((field) => field.name === name);
  if (!found) throw new TypeError(`logrung: the optimiser keeps no field "${name}"`);
  if (found.field.role === "number") return { before: scope[beforeOf(name)], value: scope[name] };
  const value = weightValue(precision.weight, scope[name], scope.scale);
  return { before: value, value };
}
