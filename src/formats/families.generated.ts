// Written by tools/generate-registries.ts; do not edit.
import { family as float } from "./float.ts";
import { family as integer } from "./integer.ts";
import { family as lns } from "./lns.ts";
import { family as naturalLadder } from "./natural-ladder.ts";
import { family as powerOfTwo } from "./power-of-two.ts";

/** Every module of this folder that exports `family`, by file name. */
export const families = {
  float,
  integer,
  lns,
  "natural-ladder": naturalLadder,
  "power-of-two": powerOfTwo,
} as const;
