/** The weight as a program reads it, and its change written back: a value, or a number of rungs. */
import { format as formatOf } from "../formats/index.ts";
import { roundingMagic, roundingMagicBits } from "../formats/log2-fixed.ts";
import { f32, type Value } from "../kernels/program.ts";
import { output, type Output } from "../kernels/signature.ts";
import { encodeAcrossZero, fromOneToTwo } from "./across-zero.ts";
import {
  bySignBit,
  climb,
  isScaled,
  largestOf,
  magnitudeOf,
  ladderHeld,
  readHeld,
  storageOf,
  writeHeld,
  type Held,
  type Ladder,
} from "./held.ts";
import type { Change, FieldValues, UpdateScope } from "./optimizer.ts";
import { beforeOf, weightValue, type Rule, type Values } from "./rule.ts";
import { signOf } from "./sign.ts";

const movesScale = ({ fields }: Rule): boolean =>
  fields.some(({ name, field }) => name === "scale" && field.role === "number");

/** What codes are multiples of, before the step and after it. */
export function scalesOf(rule: Rule, scope: Values): FieldValues {
  return { before: movesScale(rule) ? scope[beforeOf("scale")] : scope.scale, value: scope.scale };
}

/** σ* */
export function boundOf({ precision: { weight } }: Rule, { scale }: Values): Value {
  const largest = isScaled(weight) ? largestOf(weight) : 1;
  return largest === 1 ? scale : scale.mul(largest);
}

/** log₂ of a number that is not negative; of 0 at least a rung below the lowest, -64 off the ladder. */
export function octavesOf(rule: Rule, scope: Values, name: string): Value {
  const held = rule.precision.weight;
  const ladder = ladderHeld(held);
  if (!ladder)
    return weightValue(held, scope[name], scope.scale)
      .max(2 ** -64)
      .log2();
  const { octavesPerRung, highest } = ladder;
  const top = boundOf(rule, scope).log2();
  return magnitudeOf(ladder, scope[name])
    .toF32()
    .fma(octavesPerRung, top.sub(highest * octavesPerRung));
}

export function weightScope(rule: Rule, scope: Values): Pick<UpdateScope, "w" | "bySign"> {
  const { precision, optimizer } = rule;
  if (optimizer.materialise) return { w: scope.w, bySign: (x) => x.mul(signOf(scope.w)) };
  const w = weightValue(precision.weight, scope.w, scalesOf(rule, scope).before);
  const ladder = ladderHeld(precision.weight);
  const signed = precision.weight !== null && formatOf(precision.weight.format).info.signBit !== null;
  if (ladder && signed) return { w, bySign: (x) => bySignBit(ladder, scope.w, x) };
  return { w, bySign: (x) => x.mul(signOf(w)) };
}

/** A weight or part after its change, in its storage. */
export function changed(rule: Rule, change: Change, scope: Values, name: string, bits: Value): Output {
  const held = rule.precision.weight;
  const storage = storageOf(held);
  const ladder = ladderHeld(held);
  if (change.kind === "multiplicative" && held && ladder) {
    const moved = movesScale(rule) ? scalesOf(rule, scope) : null;
    const whole = rungsOf(held, ladder, change, moved, bits);
    return output(storage, climb(ladder, scope[name], whole));
  }
  const unit = unitOf(rule, change, scope, name);
  if (change.kind !== "multiplicative" && held && ladder)
    return output(storage, encodeAcrossZero(formatOf(held.format), held, unit, bits));
  return output(storage, writeHeld(held, unit, bits));
}

/** A changed value as a multiple of what codes are multiples of. */
function unitOf(rule: Rule, change: Change, scope: Values, name: string): Value {
  const held = rule.precision.weight;
  const scale = scalesOf(rule, scope);
  if (change.kind === "steps" && isScaled(held)) {
    const inverse = f32(1).div(scale.value);
    const before = readHeld(held, scope[name]);
    const rate = change.rate.mul(inverse).neg();
    const moves = movesScale(rule);
    if (!change.decay && !moves) return change.step.fma(rate, before);
    const kept = change.decay ? f32(1).sub(change.decay) : f32(1);
    return before.fma(moves ? kept.mul(scale.before).mul(inverse) : kept, change.step.mul(rate));
  }
  const value = valueOf(rule, change, scope, name);
  return isScaled(held) ? value.mul(f32(1).div(scale.value)) : value;
}

function valueOf(rule: Rule, change: Change, scope: Values, name: string): Value {
  if (change.kind === "additive") return change.value;
  const old = weightValue(rule.precision.weight, scope[name], scalesOf(rule, scope).before);
  if (change.kind === "multiplicative")
    return bounded(old.mul(times(change.octaves, change.unit ?? 1).exp2()), boundOf(rule, scope));
  const step = change.step.mul(change.rate);
  return old.sub(change.decay ? old.fma(change.decay, step) : step);
}

const bounded = (w: Value, top: Value): Value => w.clamp(top.neg(), top);
const times = (x: Value, factor: number): Value => (factor === 1 ? x : x.mul(factor));

/** round(Δ log₂|w| in rungs): from here on integers are added, no float weight anywhere. */
function rungsOf(
  { rounding }: NonNullable<Held>,
  { octavesPerRung }: Ladder,
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
    const steps = moved ? times(octaves, perUnit).add(moved) : times(octaves, perUnit);
    return nearestInteger(rounding === "floor" ? steps.floor() : steps);
  }
  // ⌊x + u⌋ = round(x + u - ½)
  const shifted = octaves.fma(perUnit, moved ? moved.sub(1.5) : -1.5);
  return nearestInteger(shifted.add(fromOneToTwo(bits)));
}

/** |x| < 2²² rounded to the nearest integer, ties to even: adding 1.5 · 2²³ leaves it in the low bits of the sum. */
const nearestInteger = (x: Value): Value => x.add(roundingMagic).asI32().sub(roundingMagicBits);
