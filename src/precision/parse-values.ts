/** Checks of values that come from outside. */
import { suggestion } from "../formats/nearest-name.ts";
import { PolicyError } from "./policy-error.ts";

export const isRecord = (x: unknown): x is Readonly<Record<string, unknown>> =>
  typeof x === "object" && x !== null && !Array.isArray(x);

/** A value as messages show it. */
export const show = (x: unknown): string => JSON.stringify(x) ?? String(x);

/** @throws PolicyError naming the first key that is not known, and the nearest that is. */
export function checkKeys(
  where: string,
  object: Readonly<Record<string, unknown>>,
  known: readonly string[],
): void {
  for (const key of Object.keys(object))
    if (!known.includes(key))
      throw new PolicyError(`logrung: unknown key "${key}" in ${where} ${suggestion(key, known)}`);
}

/** The value, which must be one of a list. @throws PolicyError naming the nearest. */
export function oneOf<T extends string | number | boolean>(
  where: string,
  value: unknown,
  choices: readonly T[],
): T {
  const known = choices.find((choice) => choice === value);
  if (known !== undefined) return known;
  throw new PolicyError(
    `logrung: unknown ${where} ${show(value)} ${suggestion(String(value), choices.map(String))}`,
  );
}
