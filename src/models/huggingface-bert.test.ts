import { describe, expect, it } from "vitest";
import {
  affine,
  attention,
  exactGelu,
  largestDifference,
  layerNorm,
  type Rows,
  rowsOf,
  sumOf,
} from "../../test/float64-transformer.ts";
import { random } from "../../test/numerical-gradient.ts";
import { floatBytes, floatValues } from "../io/element-values.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { evaluationPass } from "../nn/pass.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { bert, bertClassifier } from "./bert.ts";
import type { Sequences } from "./encoder.ts";
import { readHuggingFaceBert, writeHuggingFaceBert } from "./huggingface-bert.ts";

const [width, hidden, heads, vocabulary, context, classes] = [16, 24, 4, 13, 7, 3];
const settings = {
  model_type: "bert",
  vocab_size: vocabulary,
  max_position_embeddings: context,
  hidden_size: width,
  num_hidden_layers: 1,
  num_attention_heads: heads,
  intermediate_size: hidden,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
};

type Shapes = Record<string, number[]>;
const dense = (name: string, out: number, into: number): Shapes => ({
  [`${name}.weight`]: [out, into],
  [`${name}.bias`]: [out],
});
const norm = (name: string): Shapes => ({ [`${name}.weight`]: [width], [`${name}.bias`]: [width] });
const layer = "bert.encoder.layer.0";
const body: Shapes = {
  "bert.embeddings.word_embeddings.weight": [vocabulary, width],
  "bert.embeddings.position_embeddings.weight": [context, width],
  "bert.embeddings.token_type_embeddings.weight": [2, width],
  ...norm("bert.embeddings.LayerNorm"),
  ...dense(`${layer}.attention.self.query`, width, width),
  ...dense(`${layer}.attention.self.key`, width, width),
  ...dense(`${layer}.attention.self.value`, width, width),
  ...dense(`${layer}.attention.output.dense`, width, width),
  ...norm(`${layer}.attention.output.LayerNorm`),
  ...dense(`${layer}.intermediate.dense`, hidden, width),
  ...dense(`${layer}.output.dense`, width, hidden),
  ...norm(`${layer}.output.LayerNorm`),
};
const head = "cls.predictions.transform";
const masked: Shapes = {
  ...body,
  ...dense(`${head}.dense`, width, width),
  ...norm(`${head}.LayerNorm`),
  "cls.predictions.bias": [vocabulary],
};
const classified: Shapes = {
  ...body,
  ...dense("bert.pooler.dense", width, width),
  ...dense("classifier", classes, width),
};

const published = (shapes: Shapes): Map<string, SafetensorsTensor> =>
  new Map(
    Object.entries(shapes).map(([name, shape]): [string, SafetensorsTensor] => {
      const shift = /LayerNorm.*(weight|gamma)/.test(name) ? 1 : 0;
      const key = name.replace("gamma", "weight").replace("beta", "bias");
      const values = Float32Array.from(
        random(
          key,
          shape.reduce((a, b) => a * b, 1),
        ),
        (x) => 0.4 * x + shift,
      );
      return [name, { dtype: "F32", shape, bytes: floatBytes(values, "f32") }];
    }),
  );

const ids = [1, 12, 0, 7, 3];
const types = [0, 0, 0, 1, 1];

/** BERT in float64, straight from the published tensors: the states of `ids`, and its layers. */
function expectedStates(tensors: ReadonlyMap<string, SafetensorsTensor>) {
  const of = (name: string): ArrayLike<number> => floatValues(tensors.get(name)?.bytes ?? new Uint8Array(), "f32");
  const linear = (x: Rows, name: string): number[][] => affine(x, rowsOf(of(`${name}.weight`), x[0].length), of(`${name}.bias`));
  const normal = (x: Rows, name: string): number[][] => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-12);
  const table = (name: string): number[][] => rowsOf(of(`bert.embeddings.${name}_embeddings.weight`), width);
  const [symbols, places, kinds] = ["word", "position", "token_type"].map(table);
  const sums = ids.map((id, t) => symbols[id].map((value, c) => value + places[t][c] + kinds[types[t]][c]));
  let x = normal(sums, "bert.embeddings.LayerNorm");
  const parts = ["query", "key", "value"].map((part) => linear(x, `${layer}.attention.self.${part}`));
  const qkv = x.map((_, t) => parts.flatMap((rows) => rows[t]));
  x = normal(sumOf(x, linear(attention(qkv, heads), `${layer}.attention.output.dense`)), `${layer}.attention.output.LayerNorm`);
  const wide = linear(x, `${layer}.intermediate.dense`).map((row) => row.map(exactGelu));
  x = normal(sumOf(x, linear(wide, `${layer}.output.dense`)), `${layer}.output.LayerNorm`);
  return { x, linear, normal, symbols, of };
} // prettier-ignore

async function logitsOf(tensors: ReadonlyMap<string, SafetensorsTensor>): Promise<number[][]> {
  const device = new Device(createReferenceBackend({ precision: "float64" }));
  const { config, head: kind, weights } = readHuggingFaceBert({ config: settings, tensors });
  const model = kind === "masked" ? bert(device, config, 1) : bertClassifier(device, config, classes, 1);
  for (const { name, tensor } of model.parameters)
    device.backend.write(tensor.storage.slice(), weights.get(name) ?? new Float32Array());
  const pass = evaluationPass(parsePolicy("fp32"), 1);
  const integers = (values: readonly number[]) => device.tensor(Int32Array.from(values), [values.length]);
  const values = await device.step(async () => {
    const input: Sequences = { ids: integers(ids), types: integers(types), batch: 1 };
    return readTensor("classes" in model ? model.logits(input, pass) : model.logits(input, integers([0, 3]), pass));
  });
  await device.close();
  return rowsOf(values, kind === "masked" ? vocabulary : classes);
} // prettier-ignore

describe("a published BERT", () => {
  it("gives the same logits of hidden symbols, in float64 to 1e-10", async () => {
    const tensors = published(masked);
    const { x, linear, normal, symbols, of } = expectedStates(tensors);
    const wide = linear([x[0], x[3]], `${head}.dense`).map((row) => row.map(exactGelu));
    const expected = affine(normal(wide, `${head}.LayerNorm`), symbols, of("cls.predictions.bias"));
    expect(largestDifference(await logitsOf(tensors), expected)).toBeLessThan(1e-10);
  });

  it("gives the same logits of classes", async () => {
    const tensors = published(classified);
    const { x, linear } = expectedStates(tensors);
    const pooled = linear([x[0]], "bert.pooler.dense").map((row) => row.map(Math.tanh));
    expect(largestDifference(await logitsOf(tensors), linear(pooled, "classifier"))).toBeLessThan(1e-10);
  });

  it("is read by its older names, beside what is not needed and a tied output", async () => {
    const old = Object.entries(masked).map(([name, shape]): [string, number[]] => [
      name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta"),
      shape,
    ]);
    const tensors = published({
      ...Object.fromEntries(old),
      ...dense("bert.pooler.dense", width, width),
      ...dense("cls.seq_relationship", 2, width),
    });
    const table = tensors.get("bert.embeddings.word_embeddings.weight");
    if (table) tensors.set("cls.predictions.decoder.weight", table);
    expect(await logitsOf(tensors)).toEqual(await logitsOf(published(masked)));
  });

  it.each([
    ["BertForMaskedLM", masked],
    ["BertForSequenceClassification", classified],
    ["BertModel", Object.fromEntries(Object.entries({ ...body, ...dense("bert.pooler.dense", width, width) }).map(([name, shape]) => [name.replace("bert.", ""), shape]))],
  ] as const)("is written back as it was read: %s", (architecture, shapes) => {
    const { config, tensors } = writeHuggingFaceBert(readHuggingFaceBert({ config: settings, tensors: published(shapes) }));
    expect(config).toMatchObject({ ...settings, architectures: [architecture] });
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(published(shapes)));
  });

  const without = (name: string) => (all: Shapes) =>
    published(Object.fromEntries(Object.entries(all).filter(([one]) => one !== name)));
  const row: SafetensorsTensor = { dtype: "F32", shape: [16], bytes: new Uint8Array(64) };
  it.each([
    ["a missing tensor", {}, without(`${layer}.output.dense.bias`), /no tensor "encoder\.layer\.0\.output\.dense\.bias"/],
    ["a tensor more", {}, (all: Shapes) => published({ ...all, "bert.x": [1] }), /"x" that BERT does not have/],
    ["another shape", { intermediate_size: 20 }, published, /intermediate\.dense\.weight" is \[24, 16\], wants \[20, 16\]/],
    ["an output of its own", {}, (all: Shapes) => published(all).set("cls.predictions.decoder.weight", row), /decoder\.weight" is not "embeddings/],
    ["other places", { position_embedding_type: "relative_key" }, published, /"position_embedding_type" is "relative_key", wants "absolute"/],
    ["another model", { model_type: "roberta" }, published, /"model_type" is "roberta", wants "bert"/],
  ] as const)("is refused with %s", (_, change, tensorsOf, message) => {
    expect(() => readHuggingFaceBert({ config: { ...settings, ...change }, tensors: tensorsOf(masked) })).toThrow(message);
  });
}); // prettier-ignore
