/** From `--key=value` to a layer of the configuration: text becomes the value its key asks for. */
import { suggestion } from "../../src/formats/nearest-name.ts";
import type { OptionSchema } from "../../src/optim/options.ts";
import type { Json, JsonObject } from "../../src/train/json.ts";
import type { ConfigAssignment } from "../command.ts";
import { ConfigError } from "./config-error.ts";
import { type ConfigKey, configKeys } from "./keys.ts";
import { setKey } from "./merge.ts";

/**
 * The layer that flags make. A list's key given again adds to the list; any other key's last value counts.
 *
 * @throws ConfigError naming the key, what came and what would do.
 */
export function flagLayer(assignments: readonly ConfigAssignment[]): JsonObject {
  const keys = new Map(configKeys().map((entry) => [entry.key, entry]));
  const lists = new Map<string, string[]>();
  let layer: JsonObject = {};
  for (const { key, value } of assignments) {
    const entry = keys.get(key);
    if (entry?.kind === "list") {
      const list = [...(lists.get(key) ?? []), value];
      lists.set(key, list);
      layer = setKey(layer, key, list);
    } else {
      layer = setKey(layer, key, entry ? coerce(entry, value) : looseValue(value));
    }
  }
  return layer;
}

function coerce({ key, kind, choices }: ConfigKey, text: string): Json {
  if (kind === "number") return numberOf(key, text);
  if (kind === "boolean") {
    if (text === "true" || text === "false") return text === "true";
    throw new ConfigError([`"${key}" is "${text}", wants true or false`]);
  }
  if (kind === "any") return looseValue(text);
  if (choices.length > 0 && !choices.includes(text)) {
    throw new ConfigError([`"${key}" is "${text}" ${suggestion(text, choices)}`]);
  }
  return text;
}

function numberOf(key: string, text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new ConfigError([`"${key}" is "${text}", wants a number`]);
}

/** JSON where it is JSON (numbers, true, null, objects, lists), else the text itself. */
function looseValue(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // A bare word is a string: nobody quotes "bf16" on a command line.
    return text;
  }
}

/** What is wrong with an optimiser's own keys, said with the nearest known one. */
export function optimizerFaults(
  prefix: string,
  name: string,
  given: JsonObject,
  schema: OptionSchema,
): string[] {
  const known = Object.keys(schema);
  return Object.keys(given)
    .filter((key) => !known.includes(key))
    .map((key) => `unknown key "${prefix}.${key}" of ${name} ${suggestion(key, known)}`);
}
