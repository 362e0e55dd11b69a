/** Running moments of the gradient, in float32 or in codes, as part of an optimiser's program. */
import { f32, select, type Value } from "../kernels/program.ts";
import { output, type Output } from "../kernels/signature.ts";
import type { HeldField } from "./fields.ts";
import { isScaled, largestOf, readHeld, storageOf, writeHeld } from "./held.ts";
import type { FieldValues, FirstMoment, SecondMoment } from "./optimizer.ts";

export interface MomentScope {
  readonly g: Value;
  /** What memory holds: a float, or a code. */
  readonly stored: (name: string) => Value;
  /** A number of the tensor, before and after this step. */
  readonly number: (name: string) => FieldValues;
  readonly bits: (name: string) => Value;
  readonly uniform: (name: string) => Value;
}

/** A second moment: as it was, fresh from this step's gradient, and as memory will give it back. */
interface Second extends FieldValues {
  readonly kept: Value;
}

export interface Moments {
  readonly values: ReadonlyMap<string, FieldValues>;
  readonly outputs: Readonly<Record<string, Output>>;
}

/**
 * The program of all moments among the fields. The update reads a moment before it is rounded for storage; where a
 * first moment is kept in units of a root, it is the root of the second moment as stored.
 */
export function moments(fields: readonly HeldField[], scope: MomentScope): Moments {
  const values = new Map<string, FieldValues>();
  const seconds = new Map<string, Second>();
  const outputs: Record<string, Output> = {};
  for (const { name, field, held, unit } of fields) {
    if (field.role === "second") {
      const { code, ...moment } = secondMoment({ name, field, held, unit }, scope);
      seconds.set(name, moment);
      values.set(name, moment);
      outputs[name] = output(storageOf(held), code);
    } else if (field.role === "first") {
      const { code, ...moment } = firstMoment({ name, field, held, unit }, scope, seconds);
      values.set(name, moment);
      outputs[name] = output(storageOf(held), code);
    }
  }
  return { values, outputs };
}

/** v ← v + rate (g² - v) */
function secondMoment(
  { name, held, unit }: HeldField<SecondMoment>,
  scope: MomentScope,
): Second & { code: Value } {
  const { g, stored, bits, uniform } = scope;
  const scale = typeof unit === "number" ? unit : 1;
  const before = readHeld(held, stored(name)).mul(scale);
  const value = g
    .mul(g)
    .sub(before)
    .fma(uniform(`${name}.rate`), before);
  const code = writeHeld(held, value.mul(1 / scale), bits(name));
  const kept = held ? readHeld(held, code).mul(scale) : value;
  return { before, value, kept, code };
}

/** m ← keep · m + take · g */
function firstMoment(
  { name, field, held, unit }: HeldField<FirstMoment>,
  scope: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): FieldValues & { code: Value } {
  const { g, stored, bits, uniform } = scope;
  const [old, next] = unitValues({ name, field, held, unit }, scope, seconds);
  const before = old ? readHeld(held, stored(name)).mul(old) : readHeld(held, stored(name));
  const keep = uniform(`${name}.keep`);
  const fresh =
    field.form === "mean" ? before.sub(g).fma(keep, g) : before.fma(keep, g.mul(uniform(`${name}.take`)));
  const value = field.form === "mean" ? fresh.mul(uniform(`${name}.correction`)) : fresh;
  const code = writeHeld(held, next ? select(next.gt(0), fresh.div(next), f32(0)) : fresh, bits(name));
  return { before, value, code };
}

/** What the stored number is a multiple of, before the step and after it; null where that is 1. */
function unitValues(
  { held, unit }: HeldField,
  { number }: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): readonly [Value | null, Value | null] {
  if (typeof unit === "number") return unit === 1 ? [null, null] : [f32(unit), f32(unit)];
  if (unit.kind === "running") {
    const { before, value } = number(unit.field);
    const share = isScaled(held) ? 1 / largestOf(held) : 1;
    return [before.mul(share), value.mul(share)];
  }
  const second = seconds.get(unit.of);
  if (!second) return [null, null];
  return [second.before.sqrt().mul(unit.times), second.kept.sqrt().mul(unit.times)];
}
