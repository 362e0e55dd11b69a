/** A published BERT written down a second time: its tensors at random, and its layers in float64. */
import { floatBytes, floatValues } from "../src/io/element-values.ts";
import type { SafetensorsTensor } from "../src/io/safetensors.ts";
import { affine, attention, exactGelu, layerNorm, type Rows, rowsOf, sumOf } from "./float64-transformer.ts";
import { random } from "./numerical-gradient.ts";

/** Sizes of a BERT of one layer. */
export interface BertSizes {
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly context: number;
}

/** Shapes of tensors by their published names. */
export type Shapes = Record<string, number[]>;

export const denseShapes = (name: string, out: number, into: number): Shapes => ({
  [`${name}.weight`]: [out, into],
  [`${name}.bias`]: [out],
});

/** The one layer. */
export const bertLayer = "bert.encoder.layer.0";
const head = "cls.predictions.transform";

/** The encoder's tensors, and those of its heads. */
export function bertShapes({ width, hidden, vocabulary, context }: BertSizes) {
  const norm = (name: string): Shapes => ({ [`${name}.weight`]: [width], [`${name}.bias`]: [width] });
  const body: Shapes = {
    "bert.embeddings.word_embeddings.weight": [vocabulary, width],
    "bert.embeddings.position_embeddings.weight": [context, width],
    "bert.embeddings.token_type_embeddings.weight": [2, width],
    ...norm("bert.embeddings.LayerNorm"),
    ...denseShapes(`${bertLayer}.attention.self.query`, width, width),
    ...denseShapes(`${bertLayer}.attention.self.key`, width, width),
    ...denseShapes(`${bertLayer}.attention.self.value`, width, width),
    ...denseShapes(`${bertLayer}.attention.output.dense`, width, width),
    ...norm(`${bertLayer}.attention.output.LayerNorm`),
    ...denseShapes(`${bertLayer}.intermediate.dense`, hidden, width),
    ...denseShapes(`${bertLayer}.output.dense`, width, hidden),
    ...norm(`${bertLayer}.output.LayerNorm`),
  };
  return {
    body,
    pooler: denseShapes("bert.pooler.dense", width, width),
    masked: {
      ...denseShapes(`${head}.dense`, width, width),
      ...norm(`${head}.LayerNorm`),
      "cls.predictions.bias": [vocabulary],
    } satisfies Shapes,
    classifier: (classes: number): Shapes => denseShapes("classifier", classes, width),
  };
}

/** By their older names, in which a norm has a gamma and a beta. */
export const olderNames = (shapes: Shapes): Shapes =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"),
      shape,
    ]),
  );

/** Tensors drawn by their usual names; gains of norms around 1. */
export const randomTensors = (shapes: Shapes): Map<string, SafetensorsTensor> =>
  new Map(
    Object.entries(shapes).map(([name, shape]): [string, SafetensorsTensor] => {
      const shift = /LayerNorm.*(weight|gamma)/.test(name) ? 1 : 0;
      const key = name.replace("gamma", "weight").replace("beta", "bias");
      const size = shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from(random(key, size), (x) => 0.4 * x + shift);
      return [name, { dtype: "F32", shape, bytes: floatBytes(values, "f32") }];
    }),
  );

/** A sequence: symbols, and 0 or 1 for the text each belongs to. */
export interface Sequence {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/** BERT in float64, straight from its published tensors. */
export function float64Bert(tensors: ReadonlyMap<string, SafetensorsTensor>, { width, heads }: BertSizes) {
  const of = (name: string): ArrayLike<number> => floatValues(tensors.get(name)?.bytes ?? new Uint8Array(), "f32");
  const linear = (x: Rows, name: string): number[][] => affine(x, rowsOf(of(`${name}.weight`), x[0].length), of(`${name}.bias`));
  const normal = (x: Rows, name: string): number[][] => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-12);
  const gelu = (x: Rows): number[][] => x.map((row) => row.map(exactGelu));
  const table = (name: string): number[][] => rowsOf(of(`bert.embeddings.${name}_embeddings.weight`), width);
  const [symbols, places, kinds] = ["word", "position", "token_type"].map(table);
  const states = ({ ids, types }: Sequence): number[][] => {
    const sums = ids.map((id, t) => symbols[id].map((value, c) => value + places[t][c] + kinds[types[t]][c]));
    const x = normal(sums, "bert.embeddings.LayerNorm");
    const parts = ["query", "key", "value"].map((part) => linear(x, `${bertLayer}.attention.self.${part}`));
    const qkv = x.map((_, t) => parts.flatMap((rows) => rows[t]));
    const attended = linear(attention(qkv, heads), `${bertLayer}.attention.output.dense`);
    const middle = normal(sumOf(x, attended), `${bertLayer}.attention.output.LayerNorm`);
    const wide = gelu(linear(middle, `${bertLayer}.intermediate.dense`));
    return normal(sumOf(middle, linear(wide, `${bertLayer}.output.dense`)), `${bertLayer}.output.LayerNorm`);
  };
  return {
    /** Logits of the symbols at places of a sequence. */
    masked(sequence: Sequence, at: readonly number[]): number[][] {
      const x = states(sequence);
      const wide = gelu(linear(at.map((place) => x[place]), `${head}.dense`));
      return affine(normal(wide, `${head}.LayerNorm`), symbols, of("cls.predictions.bias"));
    },
    /** Logits of a sequence's classes. */
    classes(sequence: Sequence): number[] {
      const [first] = states(sequence);
      const pooled = linear([first], "bert.pooler.dense").map((row) => row.map(Math.tanh));
      return linear(pooled, "classifier")[0];
    },
  };
} // prettier-ignore
