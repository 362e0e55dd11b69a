// Written by tools/generate-registries.ts; do not edit.
import { optimizer as adamw } from "./adamw.ts";
import { optimizer as lnsMadam } from "./lns-madam.ts";
import { optimizer as madam } from "./madam.ts";

/** Every module of this folder that exports `optimizer`, by file name. */
export const optimizers = {
  adamw,
  "lns-madam": lnsMadam,
  madam,
} as const;
