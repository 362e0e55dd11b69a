// Written by tools/generate-registries.ts; do not edit.
import { command as convert } from "./convert.ts";
import { command as data } from "./data.ts";
import { command as doctor } from "./doctor.ts";
import { command as evaluate } from "./eval.ts";
import { command as formats } from "./formats.ts";
import { command as generate } from "./generate.ts";
import { command as inspect } from "./inspect.ts";
import { command as quantize } from "./quantize.ts";
import { command as report } from "./report.ts";
import { command as train } from "./train.ts";

/** Every module of this folder that exports `command`, by file name. */
export const commands = {
  convert,
  data,
  doctor,
  "eval": evaluate,
  formats,
  generate,
  inspect,
  quantize,
  report,
  train,
} as const;
