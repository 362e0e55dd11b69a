/** What settings are compared on: a small GPT on a text, an MLP and a small ViT on images. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { dataset as fashion } from "../../src/data/sets/fashion-mnist.ts";
import { model as gpt2 } from "../../src/models/gpt2.ts";
import type { ImageModel, ImageTask } from "../../src/models/image-model.ts";
import { mlp } from "../../src/models/mlp.ts";
import { vit } from "../../src/models/vit.ts";
import { reshape } from "../../src/ops/reshape.ts";
import type { Device } from "../../src/tensor/device.ts";
import { imageFeed } from "../../src/train/image-feed.ts";
import { createImageTrainer } from "../../src/train/image-trainer.ts";
import { createTrainer, textFeed } from "../../src/train/language-trainer.ts";
import type { Feed, TrainedModel } from "../../src/train/task.ts";
import type { Trainer, TrainingOptions } from "../../src/train/trainer.ts";

/** A model with a rule and what it learns from. */
export interface Experiment<B = unknown> {
  readonly trainer: Trainer<B, TrainedModel>;
  readonly feed: Feed<B>;
}

/** Makes the experiment of one seed. */
export type Task = (options: TrainingOptions) => Promise<Experiment>;

const sizes = {
  small: { layers: 2, width: 64, heads: 2, context: 64 },
  readme: { layers: 4, width: 128, heads: 4, context: 128 },
} as const;
export type Size = keyof typeof sizes;
export const sizeNames = Object.keys(sizes) as Size[];

/** GPT-2 on the bytes of a text: eight windows a batch, the last tenth of the text for validation, 50 batches of it. */
function text(path: string, name: Size): Task {
  const size = sizes[name];
  const file = readFileSync(path);
  const bytes = new Uint8Array(path.endsWith(".gz") ? gunzipSync(file) : file);
  const cut = Math.floor(bytes.length * 0.9);
  const data = { training: bytes.subarray(0, cut), validation: bytes.subarray(cut) };
  return async (options) => {
    const { device, seed } = options;
    const model = gpt2.build(device, { ...size, vocabulary: 256, init: "fan-in" }, seed);
    const feed = textFeed(data, { seed, rows: 8, context: size.context, limit: 50 });
    return { trainer: await createTrainer({ ...options, model }), feed } as Experiment;
  };
}

type Build = (device: Device, task: ImageTask, seed: number) => ImageModel;

/** Fashion-MNIST: 64 images a batch, the test set for validation. */
async function images(folder: string, build: Build): Promise<Task> {
  const { normalisation, channels, height, width, classes } = fashion;
  const sets = {
    training: await fashion.load(folder, "train"),
    validation: await fashion.load(folder, "test"),
  };
  return async (options) => {
    const { device, seed } = options;
    const model = build(device, { channels, height, width, classes: classes.length }, seed);
    const feed = imageFeed(sets, { seed, rows: 64, normalisation });
    return { trainer: await createImageTrainer({ ...options, model }), feed } as Experiment;
  };
}

/** 784-256-10. */
const buildMlp: Build = (device, task, seed) => {
  const size = task.channels * task.height * task.width;
  const net = mlp(device, [size, 256, task.classes], seed);
  return {
    ...net,
    buffers: {},
    task,
    logits: (pixels, batch, pass) => net.logits(reshape(pixels, [batch, size]), pass),
  };
};

/** 16 patches and a class token. */
const buildVit: Build = (device, task, seed) =>
  vit(device, task, { patch: 7, width: 64, layers: 4, heads: 4 }, seed);

/** Tasks by name; each reads the file or folder that it is given. */
export const tasks: Readonly<Record<string, (path: string, size: Size) => Task | Promise<Task>>> = {
  text,
  mlp: (path) => images(path, buildMlp),
  vit: (path) => images(path, buildVit),
};
