/** A published BERT as a run, scored and trained on, and back. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { sequentialMasked } from "../../src/data/masked-batches.ts";
import { specialSymbolsOf } from "../../src/data/special-symbols.ts";
import { wordpieceTokenizer } from "../../src/data/wordpiece-tokenizer.ts";
import { decodeSafetensors, encodeSafetensors, type SafetensorsTensor } from "../../src/io/safetensors.ts";
import {
  bertShapes,
  float64Bert,
  olderNames,
  randomTensors,
  type Sequence,
  type Shapes,
} from "../float64-bert.ts";
import { inPlace, newestCheckpoint, workspace } from "./program.ts";

const folder = workspace();
const at = (name: string): string => join(folder, name);
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const pieces = [...special, ..."un ##aff ##able affable run ##s the ladder ha ##s has rung and . ,".split(" ").filter((one, i, all) => all.indexOf(one) === i)]; // prettier-ignore
const sizes = { width: 16, hidden: 24, heads: 4, vocabulary: pieces.length, context: 12 };
const settings = {
  architectures: ["BertForMaskedLM"],
  model_type: "bert",
  vocab_size: sizes.vocabulary,
  max_position_embeddings: sizes.context,
  hidden_size: sizes.width,
  num_hidden_layers: 1,
  num_attention_heads: sizes.heads,
  intermediate_size: sizes.hidden,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0,
};
const { body, pooler, masked, classifier } = bertShapes(sizes);
const labels = ["no", "yes"];
const named = { id2label: { "0": "no", "1": "yes" } };
const text = "The ladder has rungs, and an unaffable rung runs. ".repeat(40);

function publish(name: string, shapes: Shapes, more: object = {}): void {
  mkdirSync(at(name));
  writeFileSync(at(`${name}/config.json`), JSON.stringify({ ...settings, ...more }));
  writeFileSync(at(`${name}/vocab.txt`), `${pieces.join("\n")}\n`);
  const bytes = Buffer.concat(encodeSafetensors(Object.fromEntries(randomTensors(shapes))));
  writeFileSync(at(`${name}/model.safetensors`), bytes);
}

beforeAll(() => {
  publish("masked", { ...olderNames({ ...body, ...masked }), ...pooler });
  publish("classes", { ...body, ...pooler, ...classifier(2) }, named);
  publish("bare", Object.fromEntries(Object.entries({ ...body, ...pooler }).map(([name, shape]) => [name.replace("bert.", ""), shape])));
  publish("span", body);
  writeFileSync(at("text.txt"), text);
  writeFileSync(at("pairs.tsv"), "yes\tUnaffable\tthe ladder.\nno\trung\truns and runs and runs and runs and runs\nno\taffable\n");
}); // prettier-ignore

const tensorsIn = (name: string) => {
  const file = at(`${name}/model.safetensors`);
  return decodeSafetensors(readFileSync(file), file).tensors;
};
const hexOf = (tensors: ReadonlyMap<string, SafetensorsTensor>) =>
  Object.fromEntries(Array.from(tensors, ([name, { bytes }]) => [name, Buffer.from(bytes).toString("hex")]));
const json = (path: string) => JSON.parse(readFileSync(at(path), "utf8"));
const options = ["--threads=1", "--batch=2", "--steps=2", "--evaluate.every=0", "--evaluate.batches=2"];
const convert = async (from: string, to: string, ...more: readonly string[]) => {
  const words = from === "classes" || more.includes("--task=texts") ? options.slice(0, -1) : options;
  const made = await inPlace(["convert", at(from), at(to), ...words, ...more, "--json"]);
  expect(made.code, made.stderr).toBe(0);
};
const run = async (...words: readonly string[]) => {
  const ended = await inPlace(words);
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
};
const scored = async (name: string, data: string) =>
  JSON.parse((await run("eval", at(name), `--data=${at(data)}`, "--json")).stdout);

/** −log softmax of the target. */
const loss = (logits: readonly number[], target: number): number =>
  Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[target];
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe("logrung convert of a BERT", () => {
  it("makes a run on hidden symbols with the loss of the published network, which comes back", async () => {
    await convert("masked", "run");
    expect(json("run/config.json")).toMatchObject({ task: "masked", data: { level: "wordpiece" }, model: { layers: 1, context: 12, dropout: 0 } });
    const tokenizer = wordpieceTokenizer(readFileSync(at("masked/vocab.txt"), "utf8"));
    const plan = { seed: 1, rows: 2, context: 12, symbols: specialSymbolsOf(tokenizer) };
    const network = float64Bert(randomTensors({ ...body, ...masked }), sizes);
    const losses: number[] = [];
    const symbols = tokenizer.encode(text);
    for (const { rows, inputs, places, targets } of sequentialMasked(symbols, plan))
      for (let row = 0; row < rows; row++) {
        const ids = [...inputs.subarray(12 * row, 12 * row + 12)];
        expect([ids[0], ids[11]]).toEqual([2, 3]);
        const asked = [...places].flatMap((place, i) => (Math.floor(place / 12) === row ? [{ at: place % 12, target: targets[i] }] : []));
        const logits = network.masked({ ids, types: ids.map(() => 0) }, asked.map((one) => one.at));
        losses.push(...asked.map(({ target }, i) => loss(logits[i], target)));
      }
    const found = await scored("run", "text.txt");
    expect(found).toMatchObject({ step: 0, symbols: symbols.length });
    expect(found.loss).toBeCloseTo(mean(losses), 4);
    await run("convert", at("run"), at("back"));
    expect(hexOf(tensorsIn("back"))).toEqual(hexOf(randomTensors({ ...body, ...masked })));
    expect(json("back/config.json")).toMatchObject({ ...settings, pad_token_id: 0, attention_probs_dropout_prob: 0 });
    expect(readFileSync(at("back/vocab.txt"))).toEqual(readFileSync(at("masked/vocab.txt")));
    expect(json("back/tokenizer_config.json")).toMatchObject({ tokenizer_class: "BertTokenizer", do_lower_case: true });
  });

  it("makes a classifier with its classes' names and the published network's loss, pairs and padding too", async () => {
    await convert("classes", "classifier");
    expect(json("classifier/tokenizer/classes.json")).toEqual(labels);
    const sequences: [Sequence, number][] = [
      ["[CLS] un ##aff ##able [SEP] the ladder . [SEP]", "000001111", 1],
      // Twelve symbols at most: the longer text loses its end.
      ["[CLS] rung [SEP] run ##s and run ##s and run ##s [SEP]", "000111111111", 0],
      ["[CLS] affable [SEP]", "000", 0],
    ].map(([words, types, target]) => [
      { ids: String(words).split(" ").map((word) => pieces.indexOf(word)), types: Array.from(String(types), Number) },
      Number(target),
    ]);
    const network = float64Bert(randomTensors({ ...body, ...pooler, ...classifier(2) }), sizes);
    const logits = sequences.map(([sequence]) => network.classes(sequence));
    const right = sequences.filter(([, target], i) => logits[i][target] > logits[i][1 - target]).length;
    const found = await scored("classifier", "pairs.tsv");
    expect(found).toMatchObject({ texts: 3, accuracy: right / 3 });
    expect(found.loss).toBeCloseTo(mean(sequences.map(([, target], i) => loss(logits[i], target))), 4);
    await run("convert", at("classifier"), at("classifier-back"));
    expect(Object.fromEntries(tensorsIn("classifier-back"))).toEqual(Object.fromEntries(tensorsIn("classes")));
    expect(json("classifier-back/config.json")).toMatchObject({ ...named, architectures: ["BertForSequenceClassification"] });
  });

  it("trains on, in the formats that are asked for, and lends its encoder", async () => {
    await convert("masked", "coded", "--optimizer=lns-madam", "--precision=lns-madam-8");
    await run("train", "--resume", at("coded"), `--data=${at("text.txt")}`);
    const { tensors } = await newestCheckpoint(at("coded"));
    expect(tensors["encoder.layer.0.output.dense.weight"].dtype).toBe("U8");
    const begun = ["train", "--task=texts", `--data=${at("pairs.tsv")}`, "--threads=1", "--steps=1", "--batch=2"];
    await run(...begun, `--model.from=${at("run")}`, `--output=${at("begun")}`);
    expect(json("begun/config.json").model).toMatchObject({ width: 16, hidden: 24, context: 12, init: "bert" });
    expect(readFileSync(at("begun/tokenizer/vocab.txt"))).toEqual(readFileSync(at("masked/vocab.txt")));
    await run("convert", at("begun"), at("begun-back"));
    expect(json("begun-back/config.json")).toMatchObject({ label2id: { no: 0, yes: 1 } });
  });

  it.each(["masked", "bare", "span"])("gives %s a head for the classes of texts that are named", async (from) => {
    await convert(from, `${from}-texts`, "--task=texts", `--data=${at("pairs.tsv")}`);
    const { tensors } = await newestCheckpoint(at(`${from}-texts`));
    const usual = (name: string): string => name.replace("bert.", "").replace("gamma", "weight");
    const theirs = new Map(Array.from(tensorsIn(from), ([name, { bytes }]) => [usual(name), Buffer.from(bytes)]));
    for (const name of ["embeddings.LayerNorm.weight", "pooler.dense.weight"])
      if (theirs.has(name)) expect(Buffer.from(tensors[name].bytes), name).toEqual(theirs.get(name));
    expect(theirs.has("pooler.dense.weight")).toBe(from !== "span");
    expect(tensors["classifier.weight"].shape).toEqual([2, 16]);
    expect(json(`${from}-texts/tokenizer/classes.json`)).toEqual(labels);
    await run("train", "--resume", at(`${from}-texts`));
  });

  it("refuses what does not fit", async () => {
    const fault = async (...words: readonly string[]): Promise<string> => {
      const { code, stderr } = await inPlace(words);
      expect(code, stderr).toBe(2);
      return stderr;
    };
    const converting = (from: string, ...more: readonly string[]) => fault("convert", at(from), at("no"), ...more);
    expect(await converting("bare")).toMatch(/no head for classes: name texts .*--data <file>/);
    expect(await converting("bare", "--task=masked")).toMatch(/no head for hidden symbols .*--task=texts/);
    expect(await converting("masked", "--task=language")).toMatch(/"model\.name" is "bert" \(known: gpt2/);
    expect(await converting("masked", "--model.width=8")).toMatch(/--model\.width: a converted model keeps its sizes/);
    expect(await converting("masked", "--data.level=bytes")).toMatch(/the model has \d+ symbols, the tokeniser \(bytes\) 259/);
    expect(await fault("eval", at("classifier"))).toMatch(/which labelled texts\? --data/);
    const vocabulary = (content: string | Uint8Array) => {
      writeFileSync(at("vocabulary.txt"), content);
      return converting("masked", `--data.vocabulary=${at("vocabulary.txt")}`);
    };
    expect(await vocabulary(pieces.filter((one) => one !== "[MASK]").join("\n"))).toMatch(/vocabulary\.txt": vocab\.txt has no "\[MASK\]"/);
    expect(await vocabulary([...pieces, "the"].join("\n"))).toMatch(/vocabulary\.txt": vocab\.txt line \d+: "the" is in line \d+ already/);
    expect(await vocabulary(pieces.join("\r\n"))).toMatch(/line 1: ends in CR LF/);
    expect(await vocabulary(Buffer.from([...Buffer.from("[PAD]\nu"), 0xff, 0x0a]))).toMatch(/vocabulary\.txt": line 2: not UTF-8: byte 7 is 0xff/);
    expect(await vocabulary([...pieces, "x"].join("\n"))).toMatch(/the model has 19 symbols, the tokeniser \(wordpiece\) 20/);
    expect(await fault("eval", at("masked"))).toMatch(/masked" is a published model, no run: logrung convert/);
    mkdirSync(at("pickled"));
    writeFileSync(at("pickled/pytorch_model.bin"), "");
    expect(await converting("pickled")).toMatch(/pickled" holds a pytorch_model\.bin; one model\.safetensors is read/);
    mkdirSync(at("empty"));
    expect(await converting("masked", `--data.vocabulary=${at("empty")}`)).toMatch(/empty": holds no "vocab\.txt"/);
    expect(await fault("train", "--task=masked", `--data=${at("text.txt")}`, "--data.level=wordpiece", `--data-dir=${at("empty")}`)).toMatch(/logrung data get bert-uncased/);
  });
}); // prettier-ignore
