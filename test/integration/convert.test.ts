/** A published GPT-2 as a run, trained, and back. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { gpt2 } from "../../src/models/gpt2.ts";
import { writeHuggingFaceGpt2 } from "../../src/models/huggingface-gpt2.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { Device } from "../../src/tensor/device.ts";
import { readTensor } from "../../src/tensor/tensor.ts";
import { inPlace, newestCheckpoint, textFile, workspace } from "./program.ts";

const folder = workspace();
const published = join(folder, "published");
const at = (name: string): string => join(folder, name);
const config = {
  vocabulary: 256,
  context: 16,
  layers: 1,
  width: 16,
  heads: 2,
  hidden: 40,
  init: "gpt2",
} as const;

beforeAll(async () => {
  const device = new Device(createReferenceBackend({ precision: "float32" }));
  const weights = new Map<string, Float32Array>();
  for (const { name, tensor } of gpt2(device, config, 3).parameters)
    weights.set(name, Float32Array.from(await readTensor(tensor)));
  const { config: json, tensors } = writeHuggingFaceGpt2({ config, weights });
  mkdirSync(published);
  writeFileSync(join(published, "config.json"), JSON.stringify(json));
  writeFileSync(
    join(published, "model.safetensors"),
    Buffer.concat(encodeSafetensors(Object.fromEntries(tensors))),
  );
});

const tensorsIn = (path: string) => {
  const file = join(path, "model.safetensors");
  return Object.fromEntries(decodeSafetensors(readFileSync(file), file).tensors);
};

const converting = (to: string, ...more: readonly string[]): string[] =>
  ["convert", published, at(to), "--data.level=bytes", "--threads=1", "--batch=2", "--evaluate.batches=2", "--sample.length=4", ...more]; // prettier-ignore

describe("logrung convert", () => {
  it("makes a run that writes text and comes back bit for bit", async () => {
    const made = await inPlace([...converting("run", "--to=logrung"), "--json"]);
    expect(made.code, made.stderr).toBe(0);
    // 256·16 + 16·16 + (16·48 + 48 + 16·16 + 16 + 16·40 + 40 + 40·16 + 16 + 4·16) + 2·16
    expect(JSON.parse(made.stdout)).toEqual({ folder: at("run"), parameters: 6872 });
    const text = await inPlace(["generate", at("run"), "--prompt=the", "--length=5"]);
    expect(text.code, text.stderr).toBe(0);
    const back = await inPlace(["convert", at("run"), at("back")]);
    expect(back.code, back.stderr).toBe(0);
    expect(tensorsIn(at("back"))).toEqual(tensorsIn(published));
    const [mine, theirs] = [at("back"), published].map((path) =>
      JSON.parse(readFileSync(join(path, "config.json"), "utf8")),
    );
    expect(mine).toEqual(theirs);
  });

  it("makes a run that is trained on any text, in the formats that are asked for", async () => {
    const rule = ["--optimizer=rung", "--precision=rung8", "--steps=3"];
    expect((await inPlace(converting("coded", ...rule))).code).toBe(0);
    expect((await newestCheckpoint(at("coded"))).tensors["h.0.mlp.c_fc.weight"].dtype).toBe("U8");
    const trained = await inPlace(["train", "--resume", at("coded"), `--data=${textFile()}`]);
    expect(trained.code, trained.stderr).toBe(0);
    const scored = await inPlace(["eval", at("coded"), "--json"]);
    expect(JSON.parse(scored.stdout)).toMatchObject({ step: 3 });
    const back = await inPlace(["convert", at("coded"), "--to=huggingface", at("coded-back")]);
    expect(back.code, back.stderr).toBe(0);
    const [before, after] = [tensorsIn(published), tensorsIn(at("coded-back"))];
    expect(Object.keys(after).toSorted()).toEqual(Object.keys(before).toSorted());
    expect(after["transformer.wte.weight"]).not.toEqual(before["transformer.wte.weight"]);
  });

  it("refuses a vocabulary of another size", async () => {
    mkdirSync(at("words"));
    writeFileSync(join(at("words"), "words.txt"), "the\nladder\n<eos>\n");
    const words = ["--data.level=words", `--data.vocabulary=${at("words")}`];
    const { code, stderr } = await inPlace(["convert", published, at("x"), ...words]);
    expect(stderr).toMatch(/the model has 256 symbols, the tokeniser \(words\) 3; name its folder: --data\.vocabulary/);
    expect(code).toBe(2);
    expect(existsSync(at("x"))).toBe(false);
  });

  it.each([
    ["another layout", converting("x", "--to=hugging"), /--to is "hugging" \(did you mean "?huggingface/],
    ["other sizes", converting("x", "--model.layers=2"), /--model\.layers: a converted model keeps its sizes/],
    ["a checkpoint of what is no run", converting("x", "--checkpoint=step-1"), /--checkpoint is for runs/],
    ["a tokeniser of another size", ["convert", published, at("x"), "--data.level=words"], /words\.txt/],
    ["a folder that holds a model", ["convert", at("run"), published, "--to=huggingface"], /already holds a model\.safetensors/],
    ["settings for a run that is read", ["convert", at("run"), at("x"), "--lr=1"], /--optimizer\.lr is for a run that is made/],
  ] as const)("refuses %s", async (_, words, message) => {
    const { code, stderr } = await inPlace(words);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(at("x"))).toBe(false);
  });
}); // prettier-ignore
