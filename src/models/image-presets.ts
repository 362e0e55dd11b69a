/** Every architecture for images, by name. */
import { suggestion } from "../formats/nearest-name.ts";
import { imageFamilies } from "./image-families.generated.ts";
import type { ImageModelDefinition, ImagePresets } from "./image-model.ts";
import { type VitConfig, vitDefinition } from "./vit.ts";

/** Of all families. */
export const imagePresets: ImagePresets = Object.assign({}, ...Object.values(imageFamilies));

/** The architecture of a name. @throws RangeError naming the nearest one. */
export function imagePreset(name: string): ImageModelDefinition {
  if (Object.hasOwn(imagePresets, name)) return imagePresets[name];
  const found = suggestion(name, Object.keys(imagePresets));
  throw new RangeError(`logrung: unknown model "${name}" ${found}`);
}

/** The name of an architecture whose sizes are given. */
export const sizedModel = "vit";

/** An architecture by name, or a vision transformer by its sizes. @throws RangeError as {@link imagePreset}. */
export const imageDefinition = ({
  name,
  sizes,
}: {
  readonly name: string;
  readonly sizes?: VitConfig | undefined;
}): ImageModelDefinition =>
  sizes === undefined ? imagePreset(name) : vitDefinition("vision transformer of given sizes", sizes);
