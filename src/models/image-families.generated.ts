// Written by tools/generate-registries.ts; do not edit.
import { presets as convnet } from "./convnet.ts";
import { presets as mlp } from "./mlp.ts";
import { presets as resnet } from "./resnet.ts";
import { presets as vit } from "./vit.ts";

/** Every module of this folder that exports `presets`, by file name. */
export const imageFamilies = {
  convnet,
  mlp,
  resnet,
  vit,
} as const;
