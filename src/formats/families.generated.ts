// Written by tools/generate-registries.ts; do not edit.
import { family as float } from "./float.ts";
import { family as lns } from "./lns.ts";

/** Every module of this folder that exports `family`, by file name. */
export const families = {
  float,
  lns,
} as const;
