// Written by tools/generate-registries.ts; do not edit.
import { dataset as bertUncased } from "./bert-uncased.ts";
import { dataset as cifar10 } from "./cifar-10.ts";
import { dataset as cifar100 } from "./cifar-100.ts";
import { dataset as cifar100Coarse } from "./cifar-100-coarse.ts";
import { dataset as fashionMnist } from "./fashion-mnist.ts";
import { dataset as gpt2Bpe } from "./gpt2-bpe.ts";
import { dataset as mnist } from "./mnist.ts";
import { dataset as tinyshakespeare } from "./tinyshakespeare.ts";
import { dataset as wikitext2 } from "./wikitext-2.ts";

/** Every module of this folder that exports `dataset`, by file name. */
export const datasets = {
  "bert-uncased": bertUncased,
  "cifar-10": cifar10,
  "cifar-100": cifar100,
  "cifar-100-coarse": cifar100Coarse,
  "fashion-mnist": fashionMnist,
  "gpt2-bpe": gpt2Bpe,
  mnist,
  tinyshakespeare,
  "wikitext-2": wikitext2,
} as const;
