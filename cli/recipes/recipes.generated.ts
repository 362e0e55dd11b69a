// Written by tools/generate-registries.ts; do not edit.
import { recipe as ownSource } from "./own-source.ts";
import { recipe as text } from "./text.ts";

/** Every module of this folder that exports `recipe`, by file name. */
export const recipes = {
  "own-source": ownSource,
  text,
} as const;
