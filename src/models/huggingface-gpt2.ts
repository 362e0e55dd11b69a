/** GPT-2 as Hugging Face publishes it: `config.json` and the tensors of `model.safetensors`. */
import { type FloatElement, floatValues } from "../io/element-values.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { sizeOf } from "../tensor/tensor.ts";
import { model as gpt2 } from "./gpt2.ts";
import type { LanguageModelConfig } from "./model.ts";

/** A GPT-2 whose weights are not on a device: [out, in] as ours, by our names. */
export interface Gpt2Weights {
  readonly config: LanguageModelConfig;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** The layout of Hugging Face. */
export interface HuggingFaceGpt2 {
  /** Content of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Content of `model.safetensors`. */
  readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
}

/** A checkpoint that is no GPT-2, or one that this implementation does not compute. */
export class HuggingFaceError extends Error {
  override readonly name = "HuggingFaceError";

  constructor(reason: string) {
    super(`logrung: Hugging Face checkpoint: ${reason}`);
  }
}

/** Of the four linear layers of a block: Hugging Face's Conv1D keeps them as [in, out]. */
const isConv1d = (name: string): boolean => /^h\.\d+\.(attn|mlp)\.c_\w+\.weight$/.test(name);

/** Causal masks that older files carry. */
const isMask = (name: string): boolean => /^h\.\d+\.attn\.(masked_)?bias$/.test(name);

const floats: Readonly<Record<string, FloatElement>> = { F16: "f16", BF16: "bf16", F32: "f32", F64: "f64" };

/** What must be so in `config.json` for the logits to be ours; a key that is missing has its default, which is listed first. */
const fixed: Readonly<Record<string, readonly unknown[]>> = {
  model_type: ["gpt2"],
  activation_function: ["gelu_new", "gelu_pytorch_tanh"],
  layer_norm_epsilon: [1e-5],
  scale_attn_weights: [true],
  scale_attn_by_inverse_layer_idx: [false],
  tie_word_embeddings: [true],
  add_cross_attention: [false],
};

/**
 * Reads the published layout. Names may begin with `transformer.`; `lm_head.weight`, where it is there, must be the table of symbols.
 *
 * @throws HuggingFaceError naming the key or the tensor that does not fit.
 */
export function readHuggingFaceGpt2({ config: given, tensors }: HuggingFaceGpt2): Gpt2Weights {
  const config = configOf(given);
  const found = new Map([...tensors].map(([name, tensor]) => [name.replace(/^transformer\./, ""), tensor]));
  const weights = new Map<string, Float32Array>();
  for (const { parameters } of gpt2.layers(config))
    for (const { name, shape } of Object.values(parameters)) weights.set(name, weightOf(found, name, shape));
  expectTied(found);
  for (const name of found.keys())
    if (!weights.has(name) && !isMask(name) && name !== "lm_head.weight")
      throw new HuggingFaceError(`a tensor "${name}" that GPT-2 does not have`);
  return { config, weights };
}

function configOf(given: Readonly<Record<string, unknown>>): LanguageModelConfig {
  for (const [key, allowed] of Object.entries(fixed)) {
    const value = given[key] ?? allowed[0];
    if (!allowed.includes(value))
      throw new HuggingFaceError(
        `config.json: "${key}" is ${JSON.stringify(value)}, wants ${allowed.map((one) => JSON.stringify(one)).join(" or ")}`,
      );
  }
  const size = (key: string): number => {
    const value = given[key];
    if (typeof value === "number" && Number.isInteger(value) && value > 0) return value;
    throw new HuggingFaceError(
      `config.json: "${key}" is ${JSON.stringify(value)}, wants a positive whole number`,
    );
  };
  return {
    vocabulary: size("vocab_size"),
    context: size("n_positions"),
    layers: size("n_layer"),
    width: size("n_embd"),
    heads: size("n_head"),
    hidden: (given.n_inner ?? null) === null ? 4 * size("n_embd") : size("n_inner"),
    init: "gpt2",
  };
}

function weightOf(
  found: ReadonlyMap<string, SafetensorsTensor>,
  name: string,
  shape: readonly number[],
): Float32Array {
  const tensor = found.get(name);
  if (!tensor) throw new HuggingFaceError(`no tensor "${name}"`);
  const wanted = isConv1d(name) ? shape.toReversed() : shape;
  if (tensor.shape.join() !== wanted.join())
    throw new HuggingFaceError(
      `tensor "${name}" is [${tensor.shape.join(", ")}], wants [${wanted.join(", ")}]`,
    );
  const values = valuesOf(name, tensor);
  return isConv1d(name) ? transposed(values, wanted[0], wanted[1]) : values;
}

function valuesOf(name: string, { dtype, bytes }: SafetensorsTensor): Float32Array {
  if (!Object.hasOwn(floats, dtype))
    throw new HuggingFaceError(`tensor "${name}" is ${dtype}, wants ${Object.keys(floats).join(", ")}`);
  return Float32Array.from(floatValues(bytes, floats[dtype]));
}

function expectTied(found: ReadonlyMap<string, SafetensorsTensor>): void {
  const [head, table] = [found.get("lm_head.weight"), found.get("wte.weight")];
  if (!head || !table) return;
  const [a, b] = [valuesOf("lm_head.weight", head), valuesOf("wte.weight", table)];
  if (a.length !== b.length || a.some((value, i) => value !== b[i]))
    throw new HuggingFaceError('"lm_head.weight" is not "wte.weight": the output is tied here');
}

/** [rows, columns] as [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column];
  return result;
}

/**
 * The published layout, in float32, with the names that `GPT2LMHeadModel` saves.
 *
 * @throws HuggingFaceError when a weight is missing or has another size.
 */
export function writeHuggingFaceGpt2({ config, weights }: Gpt2Weights): HuggingFaceGpt2 {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { parameters } of gpt2.layers(config))
    for (const { name, shape } of Object.values(parameters)) {
      const values = weights.get(name);
      if (values?.length !== sizeOf(shape))
        throw new HuggingFaceError(
          `weights of "${name}": ${values?.length ?? "none"}, wants ${sizeOf(shape)}`,
        );
      const written = isConv1d(name) ? transposed(values, shape[0], shape[1]) : values;
      const bytes = new Uint8Array(written.buffer, written.byteOffset, written.byteLength);
      tensors.set(`transformer.${name}`, {
        dtype: "F32",
        shape: isConv1d(name) ? shape.toReversed() : shape,
        bytes,
      });
    }
  return { config: writtenConfig(config), tensors };
}

/** The number of GPT-2's `<|endoftext|>`. */
const endOfTextSymbol = 50_256;

function writtenConfig({
  vocabulary,
  context,
  layers,
  width,
  heads,
  hidden = 4 * width,
}: LanguageModelConfig) {
  const end =
    vocabulary === endOfTextSymbol + 1
      ? { bos_token_id: endOfTextSymbol, eos_token_id: endOfTextSymbol }
      : { bos_token_id: null, eos_token_id: null };
  return {
    architectures: ["GPT2LMHeadModel"],
    ...Object.fromEntries(Object.entries(fixed).map(([key, [usual]]) => [key, usual])),
    vocab_size: vocabulary,
    n_positions: context,
    n_ctx: context,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_inner: hidden === 4 * width ? null : hidden,
    initializer_range: 0.02,
    ...end,
    torch_dtype: "float32",
  };
}
