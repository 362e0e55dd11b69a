/** Models as Hugging Face publishes them: `config.json` and the tensors of `model.safetensors`. */
import { type FloatElement, floatValues } from "../io/element-values.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import type { LayerSpec } from "../nn/layer-specs.ts";
import { sizeOf } from "../tensor/tensor.ts";

/** The layout of Hugging Face. */
export interface HuggingFaceCheckpoint {
  /** Content of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Content of `model.safetensors`. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/** Weights that are not on a device, by our names. */
export type Weights = ReadonlyMap<string, Float32Array>;

/** A checkpoint of another model, or of one that this implementation does not compute. */
export class HuggingFaceError extends Error {
  override readonly name = "HuggingFaceError";

  constructor(reason: string) {
    super(`logrung: Hugging Face checkpoint: ${reason}`);
  }
}

const floats: Readonly<Record<string, FloatElement>> = { F16: "f16", BF16: "bf16", F32: "f32", F64: "f64" };

/** What must be so in `config.json` for the logits to be ours; a key that is missing has its default, which is listed first. */
export type FixedSettings = Readonly<Record<string, readonly unknown[]>>;

/** @throws HuggingFaceError naming the setting that is another. */
export function expectFixed(config: HuggingFaceCheckpoint["config"], fixed: FixedSettings): void {
  for (const [key, allowed] of Object.entries(fixed)) {
    const value = config[key] ?? allowed[0];
    if (!allowed.includes(value))
      throw new HuggingFaceError(
        `config.json: "${key}" is ${JSON.stringify(value)}, wants ${allowed.map((one) => JSON.stringify(one)).join(" or ")}`,
      );
  }
}

/** The usual value of each setting. */
export const usualSettings = (fixed: FixedSettings): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fixed).map(([key, [usual]]) => [key, usual]));

/** A size among the settings. @throws HuggingFaceError where it is none. */
export function sizeIn(config: HuggingFaceCheckpoint["config"], key: string): number {
  const value = config[key];
  if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
  throw new HuggingFaceError(
    `config.json: "${key}" is ${JSON.stringify(value)}, wants a positive whole number`,
  );
}

/** @throws HuggingFaceError where one size is no multiple of another. */
export function expectMultiple(config: HuggingFaceCheckpoint["config"], key: string, divisor: string): void {
  const [size, part] = [sizeIn(config, key), sizeIn(config, divisor)];
  if (size % part !== 0)
    throw new HuggingFaceError(`config.json: "${key}" is ${size}, wants a multiple of "${divisor}", ${part}`);
}

/**
 * The names of classes, by number.
 *
 * @param unsaid  how many there are where the settings do not say; they have no names then.
 * @throws HuggingFaceError where a number has no name.
 */
export function classNames(
  { id2label, num_labels: count }: HuggingFaceCheckpoint["config"],
  unsaid: number,
): string[] {
  if (id2label === undefined || id2label === null) {
    const classes = count === undefined ? unsaid : sizeIn({ num_labels: count }, "num_labels");
    return Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  }
  const named = id2label as Readonly<Record<string, unknown>>;
  const { length } = Object.keys(named);
  return Array.from({ length }, (_, i) => {
    const name = named[String(i)];
    if (typeof name === "string") return name;
    throw new HuggingFaceError(
      `config.json: "id2label" has ${JSON.stringify(name)} for "${i}", wants a name for 0 to ${length - 1}`,
    );
  });
}

/** What `config.json` says of classes. */
export const classSettings = (classes: readonly string[]) => ({
  id2label: Object.fromEntries(classes.map((name, i) => [String(i), name])),
  label2id: Object.fromEntries(classes.map((name, i) => [name, i])),
});

/** A tensor as it is published. */
export interface PublishedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A projection into attention as it is published: query, key and value apart. */
export const attentionThirds = (
  layer: string,
  role: string,
  [rows, ...rest]: readonly number[],
): PublishedTensor[] =>
  ["query", "key", "value"].map((part) => ({ name: `${layer}.${part}.${role}`, shape: [rows / 3, ...rest] }));

/** One of our parameters and the tensors it is published as: their elements one after the other, but for their order. */
export interface Correspondence {
  readonly name: string;
  readonly shape: readonly number[];
  readonly published: readonly PublishedTensor[];
  /** Where element i of ours lies among theirs; default at i. */
  readonly order?: (i: number) => number;
}

/** How the parameters of layers are published, in the order of the layers. */
export const correspondences = (
  layers: readonly LayerSpec[],
  published: (name: string, shape: readonly number[]) => Omit<Correspondence, "name" | "shape">,
): Correspondence[] =>
  layers.flatMap(({ parameters }) =>
    Object.values(parameters).map(({ name, shape }) => ({ name, shape, ...published(name, shape) })),
  );

/**
 * The weights of a checkpoint.
 *
 * @param passedOver  tensors that are not needed.
 * @throws HuggingFaceError naming the tensor that is missing, too many, or of another type or shape.
 */
export function readWeights(
  model: string,
  all: readonly Correspondence[],
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  passedOver: (name: string) => boolean,
): Map<string, Float32Array> {
  const weights = new Map<string, Float32Array>();
  const known = new Set(all.flatMap(({ published }) => published.map(({ name }) => name)));
  for (const { name, shape, published, order } of all) {
    const values = new Float32Array(sizeOf(shape));
    let at = 0;
    for (const part of published) {
      values.set(publishedValues(tensors, part), at);
      at += sizeOf(part.shape);
    }
    weights.set(name, order ? values.map((_, i) => values[order(i)]) : values);
  }
  for (const name of tensors.keys())
    if (!known.has(name) && !passedOver(name))
      throw new HuggingFaceError(`a tensor "${name}" that ${model} does not have`);
  return weights;
}

function publishedValues(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  { name, shape }: PublishedTensor,
): Float32Array {
  const tensor = tensors.get(name);
  if (!tensor) throw new HuggingFaceError(`no tensor "${name}"`);
  if (tensor.shape.join() !== shape.join())
    throw new HuggingFaceError(
      `tensor "${name}" is [${tensor.shape.join(", ")}], wants [${shape.join(", ")}]`,
    );
  return tensorValues(name, tensor);
}

/** The numbers of a tensor. @throws HuggingFaceError for a type that holds no fractions. */
function tensorValues(name: string, { dtype, bytes }: SafetensorsTensor): Float32Array {
  if (!Object.hasOwn(floats, dtype))
    throw new HuggingFaceError(`tensor "${name}" is ${dtype}, wants ${Object.keys(floats).join(", ")}`);
  return Float32Array.from(floatValues(bytes, floats[dtype]));
}

/** A second copy of a tensor, where there is one, must be the same. @throws HuggingFaceError. */
export function expectCopy(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  copy: string,
  original: string,
): void {
  const [one, other] = [tensors.get(copy), tensors.get(original)];
  if (!one || !other) return;
  const [a, b] = [tensorValues(copy, one), tensorValues(original, other)];
  if (a.length !== b.length || a.some((value, i) => value !== b[i]))
    throw new HuggingFaceError(`"${copy}" is not "${original}": the output is tied here`);
}

/**
 * The tensors of a checkpoint, in float32.
 *
 * @param named  the published name that is written; default the correspondence's.
 * @throws HuggingFaceError when a weight is missing or has another size.
 */
export function writeWeights(
  all: readonly Correspondence[],
  weights: Weights,
  named: (name: string) => string = (name) => name,
): Map<string, SafetensorsTensor> {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { name, shape, published, order } of all) {
    const values = weights.get(name);
    if (values?.length !== sizeOf(shape))
      throw new HuggingFaceError(`weights of "${name}": ${values?.length ?? "none"}, wants ${sizeOf(shape)}`);
    const theirs = order ? new Float32Array(values.length) : values;
    if (order) for (const [i, value] of values.entries()) theirs[order(i)] = value;
    let at = 0;
    for (const part of published) {
      const own = theirs.slice(at, at + sizeOf(part.shape));
      at += own.length;
      tensors.set(named(part.name), { dtype: "F32", shape: part.shape, bytes: new Uint8Array(own.buffer) });
    }
  }
  return tensors;
}
