// Written by tools/generate-registries.ts; do not edit.
import { optimizer as adam } from "./adam.ts";
import { optimizer as adamw } from "./adamw.ts";
import { optimizer as fromage } from "./fromage.ts";
import { optimizer as integerMadam } from "./integer-madam.ts";
import { optimizer as lion } from "./lion.ts";
import { optimizer as lmd } from "./lmd.ts";
import { optimizer as lnsMadam } from "./lns-madam.ts";
import { optimizer as madam } from "./madam.ts";
import { optimizer as rung } from "./rung.ts";
import { optimizer as sgd } from "./sgd.ts";
import { optimizer as signsgd } from "./signsgd.ts";

/** Every module of this folder that exports `optimizer`, by file name. */
export const optimizers = {
  adam,
  adamw,
  fromage,
  "integer-madam": integerMadam,
  lion,
  lmd,
  "lns-madam": lnsMadam,
  madam,
  rung,
  sgd,
  signsgd,
} as const;
