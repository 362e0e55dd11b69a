// Written by tools/generate-registries.ts; do not edit.
import { encoder as bert } from "./bert.ts";

/** Every module of this folder that exports `encoder`, by file name. */
export const encoders = {
  bert,
} as const;
