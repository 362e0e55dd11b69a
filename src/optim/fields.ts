/** The fields of an optimiser under a policy: where each lies, in which unit, and the numbers of a step. */
import { format as formatOf } from "../formats/index.ts";
import { isScaled, largestOf, type Held } from "./held.ts";
import type { FirstMoment, Optimizer, SecondMoment, StateField, TensorNumber } from "./optimizer.ts";
import { OptionError, type Options } from "./options.ts";

/** Where an optimiser's numbers lie: null is float32. */
export interface StatePrecision {
  readonly weight: Held;
  readonly gradient: Held;
  readonly moment: { readonly first: Held; readonly second: Held };
}

/**
 * What a stored number is a multiple of:
 *
 * - a number: always that one;
 * - `root`: of the root of the second moment called `of`, times a number;
 * - `running`: a number of the tensor that follows the largest gradient.
 */
export type Unit =
  | number
  | { readonly kind: "root"; readonly of: string; readonly times: number }
  | { readonly kind: "running"; readonly field: string };

export interface HeldField<F extends StateField = StateField> {
  readonly name: string;
  readonly field: F;
  readonly held: Held;
  readonly unit: Unit;
}

/**
 * The value of the top of a second moment that is scaled, where the policy names none: 2⁸, so gradients up to 16 fit,
 * and down to 4e-9 with 8 bits at four rungs an octave.
 */
const SECOND_MOMENT_TOP = 2 ** 8;

/**
 * The top of a first moment in units of √v̂:
 *
 *   |m| / √v ≤ (1-β₁) / √((1-β₂)(1 - β₁²/β₂))   for β₁² < β₂ (Cauchy-Schwarz), with a quarter to spare for rounding
 */
export function firstMomentTop(first: number, second: number): number {
  if (first * first >= second) return 1;
  const bound = (1 - first) / Math.sqrt((1 - second) * (1 - (first * first) / second));
  return Math.max(1, 1.25 * bound);
}

/** Name of the number that follows a first moment's largest value. */
export const topOf = (name: string): string => `${name}.top`;

/**
 * All fields of an optimiser, those the formats ask for included, in the order seconds, firsts, parts, numbers.
 *
 * @throws OptionError when a field or weight that may be negative is to lie in an unsigned format.
 */
export function fieldsOf(optimizer: Optimizer, options: Options, precision: StatePrecision): HeldField[] {
  const entries = Object.entries(optimizer.state(options));
  if (!optimizer.materialise) checkSign(`${optimizer.name}'s weight`, precision.weight);
  const second = entries.find(([, field]) => field.role === "second");
  const held = entries.map(([name, field]): HeldField => {
    const where = placeOf(field, precision);
    const signed = field.role === "first" || (field.role === "part" && field.signed);
    if (signed) checkSign(`${optimizer.name}'s field "${name}"`, where);
    return { name, field, held: where, unit: unitOf(name, field, where, second) };
  });
  const tops = held.flatMap(({ name, field, unit }): HeldField[] =>
    typeof unit === "object" && unit.kind === "running" && field.role === "first"
      ? [{ name: unit.field, field: runningTop(name), held: null, unit: 1 }]
      : [],
  );
  const order = ["second", "first", "part", "number"];
  return [...held, ...tops].toSorted((a, b) => order.indexOf(a.field.role) - order.indexOf(b.field.role));
}

function placeOf(field: StateField, { weight, moment }: StatePrecision): Held {
  if (field.role === "number") return null;
  return field.role === "part" ? weight : moment[field.role];
}

/** @throws OptionError where `held` is a format without negative values. @param what  holds both signs. */
export function checkSign(what: string, held: Held): void {
  if (!held || formatOf(held.format).info.signBit !== null) return;
  throw new OptionError(
    `logrung: ${what} has both signs, and ${held.format} has none: wants a signed format`,
  );
}

function unitOf(name: string, field: StateField, held: Held, second: [string, StateField] | undefined): Unit {
  if (!isScaled(held) || field.role === "part" || field.role === "number") return 1;
  const { scale } = held;
  const largest = largestOf(held);
  if (field.role === "second") return (typeof scale === "number" ? scale : SECOND_MOMENT_TOP) / largest;
  const [of, other] = second ?? [];
  if (of !== undefined && other?.role === "second") {
    const top = typeof scale === "number" ? scale : firstMomentTop(field.decay, other.decay);
    return { kind: "root", of, times: top / largest };
  }
  return typeof scale === "number" ? scale / largest : { kind: "running", field: topOf(name) };
}

/** The least top: an all-zero gradient divides by it. */
const LEAST_TOP = 2 ** -100;

/** top ← keep · top + take · max|g|: at least the moment's largest magnitude, by induction. */
const runningTop = (moment: string): TensorNumber => ({
  role: "number",
  init: () => LEAST_TOP,
  next: ({ before, reduced, uniform }) =>
    reduced(`${moment}.largest`)
      .mul(uniform(`${moment}.take`))
      .add(before.mul(uniform(`${moment}.keep`)))
      .max(LEAST_TOP),
});

/** Uniforms that the moments read at step t ≥ 1. */
export function fieldUniforms(fields: readonly HeldField[], t: number): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const { name, field } of fields) {
    if (field.role === "first") Object.assign(numbers, prefixed(name, firstNumbers(field, t)));
    else if (field.role === "second") Object.assign(numbers, prefixed(name, secondNumbers(field, t)));
  }
  return numbers;
}

const prefixed = (name: string, numbers: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([key, value]) => [`${name}.${key}`, value]));

function firstNumbers({ decay, form, dampening = 0 }: FirstMoment, t: number) {
  if (form === "sum") return { keep: decay, take: t === 1 ? 1 : 1 - dampening };
  return { keep: decay, take: 1 - decay, correction: 1 / (1 - decay ** t) };
}

function secondNumbers({ decay, corrected = true }: SecondMoment, t: number) {
  return { rate: corrected ? (1 - decay) / (1 - decay ** t) : 1 - decay };
}
