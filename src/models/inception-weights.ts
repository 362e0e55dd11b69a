/** Weights of Inception-v3 as torchvision, timm and pytorch-fid publish them, made ready to be used. */
import { type FloatElement, floatValues } from "../io/element-values.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { sizeOf } from "../tensor/tensor.ts";
import {
  auxiliaryTensors,
  convolutionsOf,
  inceptionClasses,
  type InceptionConfig,
  inceptionDivisors,
  inceptionEpsilon,
  inceptionFeatures,
  inceptionSteps,
  type InceptionTensor,
  inceptionTensors,
  type InceptionVariant,
} from "./inception-layers.ts";

/** Numbers of one layer: of a convolution with its batch norm in them, or of the head. */
export interface FoldedLayer {
  /** [channels, kernel height · kernel width · input channels] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** An Inception-v3 that is not on a device. */
export interface InceptionWeights {
  readonly config: InceptionConfig;
  readonly layers: ReadonlyMap<string, FoldedLayer>;
  /** Whether the file had the auxiliary classifier, which is left out. */
  readonly hadAuxiliary: boolean;
}

/** A checkpoint that is no Inception-v3, or not a whole one. */
export class InceptionError extends Error {
  override readonly name = "InceptionError";

  constructor(reason: string) {
    super(`logrung: Inception-v3 checkpoint: ${reason}`);
  }
}

type Tensors = ReadonlyMap<string, SafetensorsTensor>;

/**
 * Reads a `state_dict` by its published names. Which variant it is, the outputs of `fc` say: 1,008 are TensorFlow's of 2015-12-05, the
 * FID's; 1,000 are torchvision's and timm's. A running count of batches is passed over, and so is the auxiliary classifier.
 *
 * @throws InceptionError naming the tensor that is missing, too many, or of another type or shape.
 */
export function readInceptionV3(tensors: Tensors): InceptionWeights {
  const config = configOf(tensors);
  const wanted = inceptionTensors(config);
  const auxiliary = auxiliaryTensors(config);
  const hadAuxiliary = auxiliary.some(({ name }) => tensors.has(name));
  const missing = wanted.filter(({ name }) => !tensors.has(name));
  if (missing.length > 0)
    throw new InceptionError(`no tensor "${missing[0].name}"${andOthers(missing.length - 1)}`);
  expectNoOthers(tensors, [...wanted, ...auxiliary]);
  for (const tensor of wanted) expectShape(tensors, tensor);
  return { config, layers: foldedLayers(tensors, config), hadAuxiliary };
}

const andOthers = (count: number): string => (count > 0 ? ` (and ${count} more that are missing)` : "");

function configOf(tensors: Tensors): InceptionConfig {
  const [head, first] = [shapeIn(tensors, "fc.weight"), shapeIn(tensors, "Conv2d_1a_3x3.conv.weight")];
  const variants = Object.entries(inceptionClasses) as [InceptionVariant, number][];
  const variant = variants.find(([, classes]) => classes === head[0])?.[0];
  if (variant === undefined)
    throw new InceptionError(
      `tensor "fc.weight" is [${head.join(", ")}], wants 1008 outputs (TensorFlow's of 2015-12-05, the FID's) or ` +
        "1000 (torchvision's and timm's)",
    );
  const widthDivisor = 32 / first[0];
  // Where it is none of these, the shape is told to be wrong as any other is.
  return inceptionDivisors.includes(widthDivisor) ? { variant, widthDivisor } : { variant };
}

function shapeIn(tensors: Tensors, name: string): readonly number[] {
  const found = tensors.get(name);
  if (found && found.shape.length > 0) return found.shape;
  throw new InceptionError(`no tensor "${name}": it is another network, or a part of one`);
}

function expectNoOthers(tensors: Tensors, known: readonly InceptionTensor[]): void {
  const all = new Set(known.map(({ name }) => name));
  for (const name of tensors.keys()) {
    const isCount = name.endsWith(".num_batches_tracked") && all.has(counted(name));
    if (!isCount && !all.has(name))
      throw new InceptionError(`a tensor "${name}" that Inception-v3 does not have`);
  }
}

/** The tensor whose batches a count is of. */
const counted = (name: string): string => name.replace(/num_batches_tracked$/, "running_mean");

function expectShape(tensors: Tensors, { name, shape }: InceptionTensor): void {
  const given = tensors.get(name)?.shape ?? [];
  if (given.join() !== shape.join())
    throw new InceptionError(`tensor "${name}" is [${given.join(", ")}], wants [${shape.join(", ")}]`);
}

const floats: Readonly<Record<string, FloatElement>> = { F16: "f16", BF16: "bf16", F32: "f32", F64: "f64" };

function valuesOf(tensors: Tensors, name: string): Float32Array | Float64Array {
  const tensor = tensors.get(name);
  if (!tensor) throw new InceptionError(`no tensor "${name}"`);
  if (!Object.hasOwn(floats, tensor.dtype))
    throw new InceptionError(`tensor "${name}" is ${tensor.dtype}, wants ${Object.keys(floats).join(", ")}`);
  return floatValues(tensor.bytes, floats[tensor.dtype]);
}

function foldedLayers(tensors: Tensors, config: InceptionConfig): Map<string, FoldedLayer> {
  const { layers } = convolutionsOf(inceptionSteps(config.variant), 3);
  const folded = new Map(layers.map(({ step: { name } }) => [name, foldedConvolution(tensors, name)]));
  const fc = { weight: valuesOf(tensors, "fc.weight"), bias: valuesOf(tensors, "fc.bias") };
  return folded.set("fc", { weight: Float32Array.from(fc.weight), bias: Float32Array.from(fc.bias) });
}

/**
 * A frozen batch norm within its convolution:   w' = w · γ / √(σ² + ε),   b = β - μ · γ / √(σ² + ε)
 *
 * From [channels, input, height, width] to [channels, height · width · input].
 */
function foldedConvolution(tensors: Tensors, name: string): FoldedLayer {
  const theirs = valuesOf(tensors, `${name}.conv.weight`);
  const [gain, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((role) =>
    valuesOf(tensors, `${name}.bn.${role}`),
  );
  const channels = gain.length;
  const depth = theirs.length / channels;
  const places = sizeOf(tensors.get(`${name}.conv.weight`)?.shape.slice(2) ?? []);
  const inputs = depth / places;
  const weight = new Float32Array(theirs.length);
  const bias = new Float32Array(channels);
  for (let o = 0; o < channels; o++) {
    const scale = gain[o] / Math.sqrt(variance[o] + inceptionEpsilon);
    if (!Number.isFinite(scale))
      throw new InceptionError(
        `tensor "${name}.bn.running_var" has ${variance[o]} for channel ${o}, no variance`,
      );
    bias[o] = shift[o] - mean[o] * scale;
    for (let place = 0; place < places; place++)
      for (let i = 0; i < inputs; i++)
        weight[o * depth + place * inputs + i] = theirs[o * depth + i * places + place] * scale;
  }
  return { weight, bias };
}

/**
 * SHA-256 of pytorch-fid's `pt_inception-2015-12-05-6726825d.pth`, the weights that FIDs are published with.
 *
 * @source its name, whose digits PyTorch's convention takes from it; evaluations that pin the whole, of 95,628,359 bytes.
 */
export const fidWeightsSha256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

/**
 * What the distance in a network's features may be called: the FID, where the weights are known to be the published ones; unverified, where
 * the network is the FID's and the file is another, such as one converted to safetensors.
 */
export type InceptionMeasure = "FID" | "unverified FID" | "Fréchet distance";

/** What a network's features are called, and their distance. @param sha256  of the file that the weights are from. */
export function inceptionLabel(
  config: InceptionConfig,
  sha256: string,
): { readonly measure: InceptionMeasure; readonly network: string } {
  const { variant, widthDivisor = 1 } = config;
  const network =
    variant === "fid"
      ? "Inception-v3 of 2015-12-05, 1,008 outputs, as pytorch-fid"
      : "Inception-v3 of 1,000 classes, as torchvision's";
  if (widthDivisor !== 1)
    return { measure: "Fréchet distance", network: `${network}, narrowed to ${inceptionFeatures(config)} features` };
  if (variant !== "fid") return { measure: "Fréchet distance", network };
  if (sha256 === fidWeightsSha256) return { measure: "FID", network };
  return { measure: "unverified FID", network: `${network}, weights of another file than pytorch-fid's` };
} // prettier-ignore
