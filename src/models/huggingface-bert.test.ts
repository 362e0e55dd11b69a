import { describe, expect, it } from "vitest";
import {
  bertLayer as layer,
  bertShapes,
  denseShapes as dense,
  float64Bert,
  olderNames,
  randomTensors as published,
  type Shapes,
} from "../../test/float64-bert.ts";
import { largestDifference, rowsOf } from "../../test/float64-transformer.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { evaluationPass } from "../nn/pass.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { bert, bertClassifier } from "./bert.ts";
import type { Sequences } from "./encoder.ts";
import { huggingFaceBertShape, readHuggingFaceBert, writeHuggingFaceBert } from "./huggingface-bert.ts";

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

const sizes = { width, hidden, heads, vocabulary, context };
const shapes = bertShapes(sizes);
const { body } = shapes;
const masked: Shapes = { ...body, ...shapes.masked };
const classified: Shapes = { ...body, ...shapes.pooler, ...shapes.classifier(classes) };

const ids = [1, 12, 0, 7, 3];
const types = [0, 0, 0, 1, 1];

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
    const expected = float64Bert(tensors, sizes).masked({ ids, types }, [0, 3]);
    expect(largestDifference(await logitsOf(tensors), expected)).toBeLessThan(1e-10);
  });

  it("gives the same logits of classes", async () => {
    const tensors = published(classified);
    const expected = [float64Bert(tensors, sizes).classes({ ids, types })];
    expect(largestDifference(await logitsOf(tensors), expected)).toBeLessThan(1e-10);
  });

  it("is read by its older names, beside what is not needed and a tied output", async () => {
    const tensors = published({
      ...olderNames(masked),
      ...shapes.pooler,
      ...dense("cls.seq_relationship", 2, width),
    });
    const table = tensors.get("bert.embeddings.word_embeddings.weight");
    if (table) tensors.set("cls.predictions.decoder.weight", table);
    expect(await logitsOf(tensors)).toEqual(await logitsOf(published(masked)));
  });

  it.each([
    ["BertForMaskedLM", masked],
    ["BertForSequenceClassification", classified],
    ["BertModel", Object.fromEntries(Object.entries({ ...body, ...shapes.pooler }).map(([name, shape]) => [name.replace("bert.", ""), shape]))],
  ] as const)("is written back as it was read: %s", (architecture, all) => {
    const { config, tensors } = writeHuggingFaceBert(readHuggingFaceBert({ config: settings, tensors: published(all) }));
    expect(config).toMatchObject({ ...settings, architectures: [architecture] });
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(published(all)));
  });

  it("keeps the names of its classes", () => {
    const named = { ...settings, id2label: { "0": "no", "1": "maybe", "2": "yes" } };
    const read = readHuggingFaceBert({ config: named, tensors: published(classified) });
    expect(read.labels).toEqual(["no", "maybe", "yes"]);
    const { config } = writeHuggingFaceBert(read);
    expect(config).toMatchObject({ id2label: named.id2label, label2id: { no: 0, maybe: 1, yes: 2 } });
    expect(() => writeHuggingFaceBert({ ...read, labels: ["no"] })).toThrow(/1 names for 3 classes/);
    expect(readHuggingFaceBert({ config: settings, tensors: published(classified) }).labels).toEqual(["LABEL_0", "LABEL_1", "LABEL_2"]);
  });

  it.each([
    ["with a pooler", { ...masked, ...shapes.pooler }, true],
    ["without", masked, false],
    ["with another head", { ...body, ...shapes.pooler, ...dense("qa_outputs", 2, width) }, true],
  ] as const)("is read without its head: %s", (_, all, hasPooler) => {
    const { head, weights } = readHuggingFaceBert({ config: settings, tensors: published(all) }, { headless: true });
    expect(head).toBe("pooler");
    expect(weights.has("pooler.dense.weight")).toBe(hasPooler);
    expect([...weights.keys()].filter((name) => /^(cls|qa)/.test(name))).toEqual([]);
    expect(huggingFaceBertShape({ config: settings, tensors: published(all) }).config).toMatchObject({ layers: 1, width, hidden });
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
    ["heads that do not divide", { num_attention_heads: 3 }, published, /"hidden_size" is 16, wants a multiple of "num_attention_heads", 3/],
    ["another model", { model_type: "roberta" }, published, /"model_type" is "roberta", wants "bert"/],
  ] as const)("is refused with %s", (_, change, tensorsOf, message) => {
    expect(() => readHuggingFaceBert({ config: { ...settings, ...change }, tensors: tensorsOf(masked) })).toThrow(message);
  });

  it.each([
    ["another number of names", { id2label: { "0": "no", "1": "yes" } }, classes, /"classifier\.weight" tells 3 classes, wants 2/],
    ["a number without a name", { id2label: { "0": "no", "2": "yes", "3": "x" } }, classes, /"id2label" has undefined for "1"/],
    ["one value", {}, 1, /"classifier\.weight" tells 1 classes, wants 2/],
    ["classes that do not exclude each other", { problem_type: "multi_label_classification" }, classes, /"problem_type" is "multi_label_classification"/],
  ] as const)("is refused as a classifier with %s", (_, change, count, message) => {
    const tensors = published({ ...body, ...shapes.pooler, ...shapes.classifier(count) });
    expect(() => readHuggingFaceBert({ config: { ...settings, ...change }, tensors })).toThrow(message);
  });
}); // prettier-ignore
