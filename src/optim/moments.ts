/** Running moments of the gradient, in float32 or in codes, as part of an optimiser's program. */
import { f32, type Value } from "../kernels/program.ts";
import { output, type Output } from "../kernels/signature.ts";
import type { HeldField } from "./fields.ts";
import { isScaled, largestOf, readHeld, storageOf, writeHeld, type Held } from "./held.ts";
import { rootedLadders, writeRooted } from "./rooted-moment.ts";
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

/** A second moment, with what a first moment may be kept in units of. */
interface Second extends FieldValues {
  readonly field: HeldField<SecondMoment>;
  /** √v as it was. */
  readonly root: Value;
  /** v as memory will hold it. */
  readonly code: Value;
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
      const second = secondMoment({ name, field, held, unit }, scope, rooted);
      seconds.set(name, second);
      values.set(name, second);
      outputs[name] = output(storageOf(held), second.code);
    } else if (field.role === "first") {
      const { code, ...first } = firstMoment({ name, field, held, unit }, scope, seconds);
      values.set(name, first);
      outputs[name] = output(storageOf(held), code);
    }
  }
  return { values, outputs };
}

/** A gradient that is no number leaves no trace in a code but its size: as if it were infinite. */
const moment = { nan: "infinity" } as const;

/** v ← v + rate (g² - v). @param rooted whether its root is read anyway, and so is the cheaper way to it. */
function secondMoment(field: HeldField<SecondMoment>, scope: MomentScope, rooted: boolean): Second {
  const { name, held } = field;
  const { g, stored, bits, uniform } = scope;
  const scale = scaleOf(field);
  const root = storedRoot(held, stored(name), scale);
  const before = rooted ? root.mul(root) : readHeld(held, stored(name)).mul(scale);
  const value = g
    .mul(g)
    .sub(before)
    .fma(uniform(`${name}.rate`), before);
  return {
    field,
    before,
    value,
    root,
    code: writeHeld(held, value, bits(name), scale, { ...moment, positive: true }),
  };
}

/** What a second moment is a multiple of. */
const scaleOf = ({ unit }: HeldField): number => (typeof unit === "number" ? unit : 1);

/** m ← keep · m + take · g */
function firstMoment(
  { name, field, held, unit }: HeldField<FirstMoment>,
  scope: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): FieldValues & { code: Value } {
  const { g, uniform, bits } = scope;
  const { before, write } = firstStorage({ name, field, held, unit }, scope, seconds);
  const keep = uniform(`${name}.keep`);
  const fresh =
    field.form === "mean" ? before.sub(g).fma(keep, g) : before.fma(keep, g.mul(uniform(`${name}.take`)));
  const value = field.form === "mean" ? fresh.mul(uniform(`${name}.correction`)) : fresh;
  return { before, value, code: write(fresh, bits(name)) };
}

interface FirstStorage {
  /** The moment as memory holds it. */
  readonly before: Value;
  /** What memory is to hold. */
  readonly write: (fresh: Value, bits: Value) => Value;
}

function firstStorage(
  field: HeldField<FirstMoment>,
  scope: MomentScope,
  seconds: ReadonlyMap<string, Second>,
): FirstStorage {
  const { name, held, unit } = field;
  const stored = readHeld(held, scope.stored(name));
  if (typeof unit === "number") return { before: times(stored, unit), write: constantUnit(held, unit) };
  if (unit.kind === "running") {
    const { before, value } = scope.number(unit.field);
    const largest = isScaled(held) ? largestOf(held) : 1;
    const inverse = f32(largest).div(value);
    return {
      before: stored.mul(before.mul(1 / largest)),
      write: (fresh, bits) => writeHeld(held, fresh.mul(inverse), bits, 1, moment),
    };
  }
  const second = seconds.get(unit.of);
  if (!second) return { before: stored, write: constantUnit(held, 1) };
  return { before: stored.mul(second.root.mul(unit.times)), write: rootedUnit(held, unit.times, second) };
}

const times = (x: Value, factor: number): Value => (factor === 1 ? x : x.mul(factor));

const constantUnit =
  (held: Held, unit: number): FirstStorage["write"] =>
  (fresh, bits) =>
    writeHeld(held, fresh, bits, unit, moment);

/** In units of the root of a second moment as stored: where both lie on ladders their rungs are subtracted. */
function rootedUnit(held: Held, top: number, { field, code }: Second): FirstStorage["write"] {
  const scale = scaleOf(field);
  const ladders = rootedLadders(held, field.held);
  if (ladders) return (fresh, bits) => writeRooted({ ...ladders, times: top, scale }, fresh, code, bits);
  const inverse = storedInverseRoot(field.held, code, scale).mul(1 / top);
  return (fresh, bits) => writeHeld(held, fresh.mul(inverse), bits, 1, moment);
}
