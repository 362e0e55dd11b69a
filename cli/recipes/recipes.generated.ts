// Written by tools/generate-registries.ts; do not edit.
import { recipe as cifar10Gan } from "./cifar10-gan.ts";
import { recipe as cifar10Resnet } from "./cifar10-resnet.ts";
import { recipe as cifar10Resnet18 } from "./cifar10-resnet18.ts";
import { recipe as cifar10Vit } from "./cifar10-vit.ts";
import { recipe as cifar100Resnet18 } from "./cifar100-resnet18.ts";
import { recipe as fashionMnistConv } from "./fashion-mnist-conv.ts";
import { recipe as fashionMnistGan } from "./fashion-mnist-gan.ts";
import { recipe as fashionMnistMlp } from "./fashion-mnist-mlp.ts";
import { recipe as gpt2Lmd } from "./gpt2-lmd.ts";
import { recipe as imagenetResnet50 } from "./imagenet-resnet50.ts";
import { recipe as imagenetVit } from "./imagenet-vit.ts";
import { recipe as ownSource } from "./own-source.ts";
import { recipe as shakespeareBert } from "./shakespeare-bert.ts";
import { recipe as shakespeareGpt2Bpe } from "./shakespeare-gpt2-bpe.ts";
import { recipe as text } from "./text.ts";
import { recipe as wikitext2Transformer } from "./wikitext2-transformer.ts";

/** Every module of this folder that exports `recipe`, by file name. */
export const recipes = {
  "cifar10-gan": cifar10Gan,
  "cifar10-resnet": cifar10Resnet,
  "cifar10-resnet18": cifar10Resnet18,
  "cifar10-vit": cifar10Vit,
  "cifar100-resnet18": cifar100Resnet18,
  "fashion-mnist-conv": fashionMnistConv,
  "fashion-mnist-gan": fashionMnistGan,
  "fashion-mnist-mlp": fashionMnistMlp,
  "gpt2-lmd": gpt2Lmd,
  "imagenet-resnet50": imagenetResnet50,
  "imagenet-vit": imagenetVit,
  "own-source": ownSource,
  "shakespeare-bert": shakespeareBert,
  "shakespeare-gpt2-bpe": shakespeareGpt2Bpe,
  text,
  "wikitext2-transformer": wikitext2Transformer,
} as const;
