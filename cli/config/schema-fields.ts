/** What the fields of the training configuration are built of. */
import * as z from "zod";

/** The names of a registry, for `z.enum`. @throws Error when it is empty. */
export function keysOf(registry: Readonly<Record<string, unknown>>): [string, ...string[]] {
  const [first, ...rest] = Object.keys(registry);
  if (first === undefined) throw new Error("logrung: a registry without entries");
  return [first, ...rest];
}

export const count = (least: number, doc: string) => z.int().min(least).describe(doc);
export const fraction = (doc: string) => z.number().min(0).lt(1).describe(doc);
