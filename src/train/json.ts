/** JSON as a type, and the numbers it leaves out. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An object of JSON values. */
export type JsonObject = { readonly [key: string]: Json };

/** Whether a parsed value is an object, not a list and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const nonFinite: readonly number[] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/**
 * JSON text in which a NaN or an infinity is kept, as the string "NaN", "Infinity" or "-Infinity": a loss that
 * overflowed must not read as null afterwards. For objects that hold numbers, not texts.
 */
export function stringifyNumbers(value: unknown, indent = 0): string {
  return JSON.stringify(value, keepNonFinite, indent);
}

function keepNonFinite(_: string, entry: unknown): unknown {
  return typeof entry === "number" && !Number.isFinite(entry) ? String(entry) : entry;
}

/** Reads what {@link stringifyNumbers} wrote. @throws SyntaxError where the text is not JSON. */
export function parseNumbers(text: string): unknown {
  return JSON.parse(
    text,
    (_, entry: unknown) => nonFinite.find((number) => String(number) === entry) ?? entry,
  );
}
