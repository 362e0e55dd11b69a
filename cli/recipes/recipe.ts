/** A recipe: a configuration worth having by name. One file each, exporting `recipe`. */
import type { JsonObject } from "../../src/train/json.ts";

export interface Recipe {
  /** One line for lists. */
  readonly summary: string;
  /** The recipe brings its own text; else `--data` is needed, or the folder of a set of images. */
  readonly builtInData: boolean;
  /** Keys of the configuration that differ from its defaults. */
  readonly config: JsonObject;
}
