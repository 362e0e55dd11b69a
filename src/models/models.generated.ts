// Written by tools/generate-registries.ts; do not edit.
import { model as gpt2 } from "./gpt2.ts";

/** Every module of this folder that exports `model`, by file name. */
export const models = {
  gpt2,
} as const;
