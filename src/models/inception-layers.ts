/** What Inception-v3 is made of, described and not made: the graph, and the tensors that it is published as. */
import { sizeOf } from "../tensor/tensor.ts";

/**
 * Two networks of one plan. `torchvision`: averages count the zeros around an image. `fid`: TensorFlow's of 2015-12-05, in whose features
 * the FID is taken; its averages do not, and the last block pools maxima where the paper has averages.
 */
export type InceptionVariant = "fid" | "torchvision";

/** Sizes of a network. */
export interface InceptionConfig {
  readonly variant: InceptionVariant;
  /** Each number of channels is the published one divided by this: 1, 2, 4, 8 or 16. Default 1; others are for tests. */
  readonly widthDivisor?: number;
}

/** A convolution without bias, its batch norm and a rectifier. */
export interface InceptionConvolution {
  readonly kind: "convolution";
  readonly name: string;
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: readonly [number, number];
}

/** A pool of 3×3 pixels. */
export interface InceptionPool {
  readonly kind: "maximum" | "average";
  readonly stride: number;
  readonly padding: number;
}

/** One after the other; `beside`: branches of one input, whose channels are put together. */
export type InceptionStep =
  | InceptionConvolution
  | InceptionPool
  | { readonly kind: "beside"; readonly branches: readonly InceptionStep[][] };

/** Classes that the head of each variant tells apart: ImageNet's, and the 1,008 outputs of 2015. */
export const inceptionClasses: Readonly<Record<InceptionVariant, number>> = { fid: 1008, torchvision: 1000 };

/** ε of every batch norm. */
export const inceptionEpsilon = 0.001;

/** Published channels divide by these. */
export const inceptionDivisors: readonly number[] = [1, 2, 4, 8, 16];

/** Height and width of the images that the published weights were trained on. */
export const inceptionSize = 299;

type Kernel = number | readonly [number, number];
const sides = (kernel: Kernel): readonly [number, number] =>
  typeof kernel === "number" ? [kernel, kernel] : kernel;

/** Inside the image alone. */
function inside(name: string, channels: number, kernel: Kernel, stride = 1): InceptionConvolution {
  return { kind: "convolution", name, channels, kernel: sides(kernel), stride, padding: [0, 0] };
}

/** With zeros around, so that images keep their size. */
function same(name: string, channels: number, kernel: Kernel): InceptionConvolution {
  const [height, width] = sides(kernel);
  return { ...inside(name, channels, kernel), padding: [(height - 1) / 2, (width - 1) / 2] };
}

const halving: InceptionPool = { kind: "maximum", stride: 2, padding: 0 };
const average: InceptionPool = { kind: "average", stride: 1, padding: 1 };
const maximum: InceptionPool = { kind: "maximum", stride: 1, padding: 1 };
const beside = (...branches: InceptionStep[][]): InceptionStep => ({ kind: "beside", branches });

/** 35×35 pixels: windows of 1×1, 5×5 and twice 3×3. @param pooled  channels of the branch that pools. */
const blockA = (name: string, pooled: number): InceptionStep =>
  beside(
    [same(`${name}.branch1x1`, 64, 1)],
    [same(`${name}.branch5x5_1`, 48, 1), same(`${name}.branch5x5_2`, 64, 5)],
    [
      same(`${name}.branch3x3dbl_1`, 64, 1),
      same(`${name}.branch3x3dbl_2`, 96, 3),
      same(`${name}.branch3x3dbl_3`, 96, 3),
    ],
    [average, same(`${name}.branch_pool`, pooled, 1)],
  );

/** From 35×35 to 17×17. */
const blockB = (name: string): InceptionStep =>
  beside(
    [inside(`${name}.branch3x3`, 384, 3, 2)],
    [
      same(`${name}.branch3x3dbl_1`, 64, 1),
      same(`${name}.branch3x3dbl_2`, 96, 3),
      inside(`${name}.branch3x3dbl_3`, 96, 3, 2),
    ],
    [halving],
  );

/** 17×17 pixels: 7×7 as 1×7 and 7×1, once and twice. @param inner  channels between them. */
const blockC = (name: string, inner: number): InceptionStep =>
  beside(
    [same(`${name}.branch1x1`, 192, 1)],
    [
      same(`${name}.branch7x7_1`, inner, 1),
      same(`${name}.branch7x7_2`, inner, [1, 7]),
      same(`${name}.branch7x7_3`, 192, [7, 1]),
    ],
    [
      same(`${name}.branch7x7dbl_1`, inner, 1),
      same(`${name}.branch7x7dbl_2`, inner, [7, 1]),
      same(`${name}.branch7x7dbl_3`, inner, [1, 7]),
      same(`${name}.branch7x7dbl_4`, inner, [7, 1]),
      same(`${name}.branch7x7dbl_5`, 192, [1, 7]),
    ],
    [average, same(`${name}.branch_pool`, 192, 1)],
  );

/** From 17×17 to 8×8. */
const blockD = (name: string): InceptionStep =>
  beside(
    [same(`${name}.branch3x3_1`, 192, 1), inside(`${name}.branch3x3_2`, 320, 3, 2)],
    [
      same(`${name}.branch7x7x3_1`, 192, 1),
      same(`${name}.branch7x7x3_2`, 192, [1, 7]),
      same(`${name}.branch7x7x3_3`, 192, [7, 1]),
      inside(`${name}.branch7x7x3_4`, 192, 3, 2),
    ],
    [halving],
  );

/** 8×8 pixels: 1×3 and 3×1 beside each other. */
function blockE(name: string, pool: InceptionPool): InceptionStep {
  const crossed = (branch: string, last: string): InceptionStep =>
    beside(
      [same(`${name}.${branch}_${last}a`, 384, [1, 3])],
      [same(`${name}.${branch}_${last}b`, 384, [3, 1])],
    );
  return beside(
    [same(`${name}.branch1x1`, 320, 1)],
    [same(`${name}.branch3x3_1`, 384, 1), crossed("branch3x3", "2")],
    [
      same(`${name}.branch3x3dbl_1`, 448, 1),
      same(`${name}.branch3x3dbl_2`, 384, 3),
      crossed("branch3x3dbl", "3"),
    ],
    [pool, same(`${name}.branch_pool`, 192, 1)],
  );
}

/** The network before its last pool, at its published width: from [299, 299, 3] to [8, 8, 2048]. */
export const inceptionSteps = (variant: InceptionVariant): readonly InceptionStep[] => [
  inside("Conv2d_1a_3x3", 32, 3, 2),
  inside("Conv2d_2a_3x3", 32, 3),
  same("Conv2d_2b_3x3", 64, 3),
  halving,
  same("Conv2d_3b_1x1", 80, 1),
  inside("Conv2d_4a_3x3", 192, 3),
  halving,
  blockA("Mixed_5b", 32),
  blockA("Mixed_5c", 64),
  blockA("Mixed_5d", 64),
  blockB("Mixed_6a"),
  blockC("Mixed_6b", 128),
  blockC("Mixed_6c", 160),
  blockC("Mixed_6d", 160),
  blockC("Mixed_6e", 192),
  blockD("Mixed_7a"),
  blockE("Mixed_7b", average),
  blockE("Mixed_7c", variant === "fid" ? maximum : average),
];

/** A convolution and the channels it takes. */
export interface InceptionLayer {
  readonly step: InceptionConvolution;
  /** Input channels. */
  readonly from: number;
}

/** The convolutions of steps in their order, at their published width, and the channels that come out. */
export function convolutionsOf(
  steps: readonly InceptionStep[],
  from: number,
): { readonly layers: InceptionLayer[]; readonly channels: number } {
  const layers: InceptionLayer[] = [];
  let channels = from;
  for (const step of steps) {
    if (step.kind === "convolution") {
      layers.push({ step, from: channels });
      channels = step.channels;
    } else if (step.kind === "beside") {
      const inputs = channels;
      const branches = step.branches.map((branch) => convolutionsOf(branch, inputs));
      layers.push(...branches.flatMap((branch) => branch.layers));
      channels = branches.reduce((sum, branch) => sum + branch.channels, 0);
    }
  }
  return { layers, channels };
}

/** A tensor as it is published. */
export interface InceptionTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether training would change it; running statistics are not. */
  readonly trained: boolean;
}

function convolutionTensors({ step, from }: InceptionLayer, divide: (width: number) => number) {
  const { name, kernel } = step;
  const channels = divide(step.channels);
  const perChannel = (role: string, trained: boolean): InceptionTensor => ({
    name: `${name}.bn.${role}`,
    shape: [channels],
    trained,
  });
  const weight = { name: `${name}.conv.weight`, shape: [channels, divide(from), ...kernel], trained: true };
  const norm = ["weight", "bias"].map((role) => perChannel(role, true));
  return [weight, ...norm, ...["running_mean", "running_var"].map((role) => perChannel(role, false))];
}

const headTensors = (name: string, from: number, classes: number): InceptionTensor[] => [
  { name: `${name}.weight`, shape: [classes, from], trained: true },
  { name: `${name}.bias`, shape: [classes], trained: true },
];

/** Channels of an input image, which no divisor narrows. */
const colours = 3;
const narrowed =
  ({ widthDivisor = 1 }: InceptionConfig) =>
  (channels: number): number =>
    channels === colours ? channels : channels / widthDivisor;

/** Numbers of the last pool: 2,048 at the published width. */
export const inceptionFeatures = (config: InceptionConfig): number => narrowed(config)(2048);

/** Every tensor that the network reads. */
export function inceptionTensors(config: InceptionConfig): InceptionTensor[] {
  const { layers } = convolutionsOf(inceptionSteps(config.variant), colours);
  return [
    ...layers.flatMap((layer) => convolutionTensors(layer, narrowed(config))),
    ...headTensors("fc", inceptionFeatures(config), inceptionClasses[config.variant]),
  ];
}

/** Those of the second classifier, which helped to train the first and is of no use afterwards. */
export function auxiliaryTensors(config: InceptionConfig): InceptionTensor[] {
  const steps = [inside("AuxLogits.conv0", 128, 1), inside("AuxLogits.conv1", 768, 5)];
  const divide = narrowed(config);
  return [
    ...convolutionsOf(steps, 768).layers.flatMap((layer) => convolutionTensors(layer, divide)),
    ...headTensors("AuxLogits.fc", divide(768), inceptionClasses[config.variant]),
  ];
}

/** Numbers that training changes. */
export const trainedNumbers = (tensors: readonly InceptionTensor[]): number =>
  tensors.reduce((sum, { shape, trained }) => sum + (trained ? sizeOf(shape) : 0), 0);
