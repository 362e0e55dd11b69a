/** Every suite, in the order of the table. */
import type { Suite } from "../suite.ts";
import { suite as attention } from "./attention.ts";
import { convnet, mlp } from "./classifiers.ts";
import { suite as gemmFormats } from "./gemm-formats.ts";
import { suite as gemmShapes } from "./gemm-shapes.ts";
import { suite as gemm } from "./gemm.ts";
import { gpt, start } from "./language.ts";
import { suite as logits } from "./logits.ts";
import { suite as memory } from "./memory.ts";
import { suite as optimizers } from "./optimizers.ts";
import { suite as pointwise } from "./pointwise.ts";

export const suites: readonly Suite[] = [
  gemm,
  gemmFormats,
  attention,
  pointwise,
  optimizers,
  mlp,
  convnet,
  gpt,
  start,
  memory,
  gemmShapes,
  logits,
];
