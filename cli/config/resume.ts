/** Which settings a run must keep when it goes on. */
import { isJsonObject, type JsonObject } from "../../src/train/json.ts";
import { completeConfig, type TrainConfig } from "./resolve.ts";

/**
 * Keys that may change: they say how long, how fast and how watched a run is, not what is computed. So may the place
 * of the data, as the checkpoint knows the data themselves by their sum.
 */
const free = new Set(["output", "threads", "backend", "steps", "evaluate", "checkpoint", "sample"]);

/**
 * Keys of the first level in which two resolved configurations differ and which a resumed run must keep.
 *
 * `steps` may change (to train longer), though that moves the schedule. Keys that the saved one lacks, being older, have
 * their defaults.
 */
export function resumeConflicts(saved: JsonObject, wanted: TrainConfig): string[] {
  const before = new Map<string, unknown>(Object.entries(completeConfig(saved)));
  const after = new Map(Object.entries(wanted));
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter(
    (name) => !free.has(name) && canonical(name, before.get(name)) !== canonical(name, after.get(name)),
  );
}

/** Where the data lie. */
const places = new Set(["path", "dir", "vocabulary", "validation"]);

/** JSON whose text does not depend on the order of keys, without the place of the data. */
function canonical(name: string, value: unknown): string | undefined {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (name === "data" && places.has(key)) return undefined;
    return isJsonObject(inner) ? Object.fromEntries(Object.entries(inner).toSorted()) : inner;
  });
}
