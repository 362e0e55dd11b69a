/** Layers of a configuration: defaults, recipe, file, flags, the later over the earlier. */
import { isJsonObject, type Json, type JsonObject } from "../../src/train/json.ts";

/**
 * Lays `over` on `under`: objects are merged key by key, everything else replaces.
 *
 * A layer that names another optimiser than the one below starts that optimiser afresh: options of the old rule
 * mean nothing to the new one. The same for `exempt.optimizer`. With another optimiser of the weights the
 * precision goes too, as it was chosen for the old one.
 */
export function mergeLayers(under: JsonObject, over: JsonObject): JsonObject {
  const fresh = namesAnother(under.optimizer, over.optimizer);
  const { precision, ...rest } = under;
  const base = fresh || precision === undefined ? rest : under;
  return merge(base, over);
}

/** @param layers  whether the two are layers, of which the upper may name another optimiser, or parts of one. */
function merge(under: JsonObject, over: JsonObject, layers = true): JsonObject {
  const result: Record<string, Json> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = key === "precision" ? policyObject(under[key]) : under[key];
    const apart = layers && key === "optimizer" && namesAnother(below, value);
    result[key] = isJsonObject(below) && isJsonObject(value) && !apart ? merge(below, value, layers) : value;
  }
  return result;
}

/** A preset's name as the object that a role's format can be laid over. */
function policyObject(precision: Json | undefined): Json | undefined {
  return typeof precision === "string" ? { preset: precision } : precision;
}

function namesAnother(under: Json | undefined, over: Json | undefined): boolean {
  if (!isJsonObject(over) || over.name === undefined) return false;
  return isJsonObject(under) && under.name !== over.name;
}

/** Sets a dotted key: `setKey({ a: { c: 2 } }, "a.b", 1)` is `{ a: { c: 2, b: 1 } }`. */
export function setKey(object: JsonObject, key: string, value: Json): JsonObject {
  const layer = key.split(".").reduceRight<Json>((inner, name) => ({ [name]: inner }), value);
  return merge(object, layer as JsonObject, false);
}
