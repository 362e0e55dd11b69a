/** The layers of a conditional GAN, described and not made. */
import {
  batchNormLayer,
  convolutionLayer,
  embeddingLayer,
  gateLayer,
  linearLayer,
  orthogonalInitial,
  plainLayer,
  spectralLayer,
  type LayerSpec,
} from "../nn/layer-specs.ts";
import type { ImageTask } from "./image-model.ts";

/** Sizes of a GAN. */
export interface GanConfig {
  readonly generator: {
    /** Channels before the first residual block and after each; every block doubles height and width. */
    readonly widths: readonly number[];
    /** The non-local block comes after so many residual ones. */
    readonly nonLocal: number;
  };
  readonly discriminator: {
    /** Channels after the first stage and after each residual block. */
    readonly widths: readonly number[];
    /** Stages that halve height and width, the first stage being one. */
    readonly halvings: number;
    /** The non-local block comes after so many residual ones. */
    readonly nonLocal: number;
  };
  /** Normal numbers for the first layer and for each residual block of the generator. */
  readonly chunk: number;
  /** Numbers that stand for a class in the generator. */
  readonly embedding: number;
  /** Rows of the tables of classes; null for as many as there are classes. */
  readonly entries: number | null;
  /** Share of a new batch in the running statistics of the conditional batch norms. */
  readonly momentum: number;
}

/** A residual block: its name, its channels, and whether it changes the size of the image. */
export interface GanBlock {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly resizes: boolean;
}

const blocks = (of: string, widths: readonly number[], resizing: number): GanBlock[] =>
  widths
    .slice(1)
    .map((to, i) => ({ name: `${of}.resblock_${i}`, from: widths[i], to, resizes: i < resizing }));

export const generatorBlocks = ({ generator: { widths } }: GanConfig): GanBlock[] =>
  blocks("generator", widths, widths.length);

export const discriminatorBlocks = ({ discriminator: { widths, halvings } }: GanConfig): GanBlock[] =>
  blocks("discriminator", widths, halvings - 1);

/** Whether a block's shortcut is a convolution. */
export const hasShortcut = ({ name, from, to, resizes }: GanBlock): boolean =>
  from !== to || (resizes && name.startsWith("discriminator"));

/** Rows of the tables of classes. */
export const entriesOf = ({ entries }: GanConfig, { classes }: ImageTask): number => entries ?? classes;

/**
 * Height and width that the generator begins with.
 *
 * @throws RangeError when the image's sides do not divide, classes do not fit the tables, or channels are too few.
 */
export function startOf(config: GanConfig, { height, width, classes }: ImageTask): [number, number] {
  const { generator, discriminator, entries } = config;
  const factor = 2 ** Math.max(generator.widths.length - 1, discriminator.halvings);
  if (height % factor !== 0 || width % factor !== 0)
    throw new RangeError(`logrung: gan of images of ${height}×${width}: sides must divide by ${factor}`);
  if (entries !== null && classes > entries)
    throw new RangeError(`logrung: gan for ${entries} classes, the images have ${classes}`);
  const start = 2 ** (generator.widths.length - 1);
  return [height / start, width / start];
}

const spectralConvolution = (name: string, ends: readonly [number, number], window: number): LayerSpec =>
  spectralLayer(convolutionLayer(name, ends, window, { bias: true, initialise: orthogonalInitial }));

const spectralLinear = (name: string, ends: readonly [number, number]): LayerSpec =>
  spectralLayer(linearLayer(name, ends, orthogonalInitial));

/** Query and key have an eighth of the channels, values a half. */
export const nonLocalWidths = (channels: number): { readonly key: number; readonly value: number } => ({
  key: Math.max(1, Math.floor(channels / 8)),
  value: Math.max(1, Math.floor(channels / 2)),
});

function nonLocalLayers(name: string, channels: number): LayerSpec[] {
  const { key, value } = nonLocalWidths(channels);
  return [
    spectralConvolution(`${name}.theta`, [channels, key], 1),
    spectralConvolution(`${name}.phi`, [channels, key], 1),
    spectralConvolution(`${name}.g`, [channels, value], 1),
    plainLayer(`${name}.attention`),
    spectralConvolution(`${name}.out_conv`, [value, channels], 1),
    // 1 where the literature has 0, which no multiplicative rule could move.
    gateLayer(name, 1),
  ];
}

/** Gain and bias of each channel from class and noise, after a batch norm without any. */
const conditionalNorm = (name: string, condition: number, channels: number): LayerSpec[] => [
  spectralLinear(`${name}.mlp_gamma`, [condition, channels]),
  spectralLinear(`${name}.mlp_beta`, [condition, channels]),
  batchNormLayer(`${name}.batch_norm`, channels, false),
];

function shortcut(block: GanBlock): LayerSpec[] {
  return hasShortcut(block) ? [spectralConvolution(`${block.name}.conv_s`, [block.from, block.to], 1)] : [];
}

function generatorLayers(config: GanConfig, task: ImageTask): LayerSpec[] {
  const { widths, nonLocal } = config.generator;
  const { chunk, embedding } = config;
  const [height, width] = startOf(config, task);
  const residual = generatorBlocks(config).map((block) => [
    ...conditionalNorm(`${block.name}.cbn_0`, embedding + chunk, block.from),
    spectralConvolution(`${block.name}.conv_0`, [block.from, block.to], 3),
    ...conditionalNorm(`${block.name}.cbn_1`, embedding + chunk, block.to),
    spectralConvolution(`${block.name}.conv_1`, [block.to, block.to], 3),
    ...shortcut(block),
  ]);
  residual.splice(nonLocal, 0, nonLocalLayers("generator.non_local", widths[nonLocal]));
  const last = widths.at(-1) ?? 0;
  return [
    spectralLinear("generator.fc", [chunk, height * width * widths[0]]),
    spectralLinear("generator.embedding", [entriesOf(config, task), embedding]),
    ...residual.flat(),
    batchNormLayer("generator.bn_img", last, true),
    spectralConvolution("generator.conv_img", [last, task.channels], 3),
  ];
}

function discriminatorLayers(config: GanConfig, task: ImageTask): LayerSpec[] {
  const { widths, nonLocal } = config.discriminator;
  const residual = discriminatorBlocks(config).map((block) => [
    spectralConvolution(`${block.name}.conv_0`, [block.from, block.to], 3),
    spectralConvolution(`${block.name}.conv_1`, [block.to, block.to], 3),
    ...shortcut(block),
  ]);
  residual.splice(nonLocal, 0, nonLocalLayers("discriminator.non_local", widths[nonLocal]));
  const last = widths.at(-1) ?? 0;
  const classes = embeddingLayer("discriminator.embed", [entriesOf(config, task), last], { orthogonal: 1 });
  return [
    spectralConvolution("discriminator.pre_conv.0", [task.channels, widths[0]], 3),
    spectralConvolution("discriminator.pre_conv.2", [widths[0], widths[0]], 3),
    spectralConvolution("discriminator.pre_skip", [task.channels, widths[0]], 1),
    ...residual.flat(),
    spectralLinear("discriminator.linear", [last, 1]),
    spectralLayer(classes),
  ];
}

/** All layers, the generator's first. @throws as {@link startOf}. */
export const ganLayers = (config: GanConfig, task: ImageTask): LayerSpec[] => [
  ...generatorLayers(config, task),
  ...discriminatorLayers(config, task),
];
