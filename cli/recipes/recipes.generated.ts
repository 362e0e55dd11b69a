// Written by tools/generate-registries.ts; do not edit.
import { recipe as cifar10Resnet } from "./cifar10-resnet.ts";
import { recipe as cifar10Vit } from "./cifar10-vit.ts";
import { recipe as fashionMnistConv } from "./fashion-mnist-conv.ts";
import { recipe as fashionMnistGan } from "./fashion-mnist-gan.ts";
import { recipe as fashionMnistMlp } from "./fashion-mnist-mlp.ts";
import { recipe as imagenetResnet50 } from "./imagenet-resnet50.ts";
import { recipe as imagenetVit } from "./imagenet-vit.ts";
import { recipe as ownSource } from "./own-source.ts";
import { recipe as shakespeareBert } from "./shakespeare-bert.ts";
import { recipe as shakespeareGpt2Bpe } from "./shakespeare-gpt2-bpe.ts";
import { recipe as text } from "./text.ts";
import { recipe as wikitext2Transformer } from "./wikitext2-transformer.ts";

/** Every module of this folder that exports `recipe`, by file name. */
export const recipes = {
  "cifar10-resnet": cifar10Resnet,
  "cifar10-vit": cifar10Vit,
  "fashion-mnist-conv": fashionMnistConv,
  "fashion-mnist-gan": fashionMnistGan,
  "fashion-mnist-mlp": fashionMnistMlp,
  "imagenet-resnet50": imagenetResnet50,
  "imagenet-vit": imagenetVit,
  "own-source": ownSource,
  "shakespeare-bert": shakespeareBert,
  "shakespeare-gpt2-bpe": shakespeareGpt2Bpe,
  text,
  "wikitext2-transformer": wikitext2Transformer,
} as const;
