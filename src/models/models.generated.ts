// Written by tools/generate-registries.ts; do not edit.
import { model as gpt2 } from "./gpt2.ts";
import { model as transformerLm } from "./transformer-lm.ts";

/** Every module of this folder that exports `model`, by file name. */
export const models = {
  gpt2,
  "transformer-lm": transformerLm,
} as const;
