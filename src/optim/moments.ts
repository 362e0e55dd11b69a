/** Running moments of the gradient, in float32 or in codes, as part of an optimiser's program. */
import { f32, type Value } from "../kernels/program.ts";
import { output, type Output } from "../kernels/signature.ts";
import type { HeldField } from "./fields.ts";
import { isScaled, largestOf, readHeld, storageOf, writeHeld } from "./held.ts";
import { storedInverseRoot, storedRoot } from "./roots.ts";
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

/** A second moment, with the roots that a first moment may be kept in units of. */
interface Second extends FieldValues {
  /** √v as it was. */
  readonly root: Value;
  /** 1/√v as memory will give it back; 0 for zero. */
  readonly inverseRoot: Value;
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
      const rooted = fields.some(
        ({ unit: of }) => typeof of === "object" && of.kind === "root" && of.of === name,
      );
      const { code, ...moment } = secondMoment({ name, field, held, unit }, scope, rooted);
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

/** v ← v + rate (g² - v). @param rooted whether its root is read anyway, and so is the cheaper way to it. */
function secondMoment(
  { name, held, unit }: HeldField<SecondMoment>,
  scope: MomentScope,
  rooted: boolean,
): Second & { code: Value } {
  const { g, stored, bits, uniform } = scope;
  const scale = typeof unit === "number" ? unit : 1;
  const root = storedRoot(held, stored(name), scale);
  const before = rooted ? root.mul(root) : readHeld(held, stored(name)).mul(scale);
  const value = g
    .mul(g)
    .sub(before)
    .fma(uniform(`${name}.rate`), before);
  const code = writeHeld(held, value.mul(1 / scale), bits(name));
  return { before, value, root, inverseRoot: storedInverseRoot(held, code, scale), code };
}

/** m ← keep · m + take · g */
function firstMoment(
  { name, field, held, unit }: HeldField<FirstMoment>,
  scope: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): FieldValues & { code: Value } {
  const { g, stored, bits, uniform } = scope;
  const { old, inverse } = unitValues({ name, field, held, unit }, scope, seconds);
  const before = old ? readHeld(held, stored(name)).mul(old) : readHeld(held, stored(name));
  const keep = uniform(`${name}.keep`);
  const fresh =
    field.form === "mean" ? before.sub(g).fma(keep, g) : before.fma(keep, g.mul(uniform(`${name}.take`)));
  const value = field.form === "mean" ? fresh.mul(uniform(`${name}.correction`)) : fresh;
  const code = writeHeld(held, inverse ? fresh.mul(inverse) : fresh, bits(name));
  return { before, value, code };
}

/** What the stored number is a multiple of before the step, and the reciprocal of that after it; null where it is 1. */
function unitValues(
  { held, unit }: HeldField,
  { number }: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): { readonly old: Value | null; readonly inverse: Value | null } {
  if (typeof unit === "number")
    return unit === 1 ? { old: null, inverse: null } : { old: f32(unit), inverse: f32(1 / unit) };
  if (unit.kind === "running") {
    const { before, value } = number(unit.field);
    const largest = isScaled(held) ? largestOf(held) : 1;
    return { old: before.mul(1 / largest), inverse: f32(largest).div(value) };
  }
  const second = seconds.get(unit.of);
  if (!second) return { old: null, inverse: null };
  return { old: second.root.mul(unit.times), inverse: second.inverseRoot.mul(1 / unit.times) };
}
