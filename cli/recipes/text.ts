import { recipe as ownSource } from "./own-source.ts";
import type { Recipe } from "./recipe.ts";

/** The same model and optimiser on any text. */
export const recipe: Recipe = {
  summary: "the same on any text: --data path/to/any.txt",
  builtInData: false,
  config: ownSource.config,
};
