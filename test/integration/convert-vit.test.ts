/** A published ViT as a run, trained, and back. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode as encodePng } from "fast-png";
import { beforeAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { writeHuggingFaceVit } from "../../src/models/huggingface-vit.ts";
import { vit } from "../../src/models/vit.ts";
import { Device } from "../../src/tensor/device.ts";
import { readTensor } from "../../src/tensor/tensor.ts";
import { logrung, workspace } from "./program.ts";

const folder = workspace();
const at = (name: string): string => join(folder, name);
const config = { patch: 2, width: 8, layers: 1, heads: 2, hidden: 12, epsilon: 1e-12 };
const images = { channels: 3, height: 8, width: 8 };

async function publish(name: string, classes: readonly string[] | null): Promise<void> {
  const device = new Device(createReferenceBackend({ precision: "float32" }));
  const weights = new Map<string, Float32Array>();
  for (const { name: parameter, tensor } of vit(device, { ...images, classes: 3 }, config, 3).parameters)
    weights.set(parameter, Float32Array.from(await readTensor(tensor)));
  const { config: json, tensors } = writeHuggingFaceVit({ config, images, classes, weights });
  mkdirSync(at(name));
  writeFileSync(join(at(name), "config.json"), JSON.stringify(json));
  const bytes = Buffer.concat(encodeSafetensors(Object.fromEntries(tensors), { format: "pt" }));
  writeFileSync(join(at(name), "model.safetensors"), bytes);
}

beforeAll(async () => {
  await publish("published", ["ant", "bee", "wasp"]);
  await publish("headless", null);
  writeFileSync(
    join(at("published"), "preprocessor_config.json"),
    JSON.stringify({ image_mean: [0.4, 0.5, 0.6], image_std: [0.2, 0.3, 0.4] }),
  );
  for (const [label, name] of ["ant", "bee"].entries())
    for (let i = 0; i < 5; i++) {
      const data = Uint8Array.from({ length: 300 }, (_, j) => (j * (7 + label) + 31 * i) % 256);
      mkdirSync(at(`images/${name}`), { recursive: true });
      const png = encodePng({ width: 10, height: 10, data, channels: 3 });
      writeFileSync(at(`images/${name}/${i}.png`), png);
    }
});

const read = (path: string): Buffer => readFileSync(at(path));
const json = (path: string) => JSON.parse(readFileSync(at(path), "utf8"));

describe("logrung convert of a ViT", () => {
  it("makes a run that is scored and trained on folders of images, and comes back bit for bit", async () => {
    const made = await logrung(["convert", at("published"), at("run"), "--threads=1", "--batch=2", "--steps=2", "--evaluate.every=0", "--json"]);
    expect(made.code, made.stderr).toBe(0);
    // 17·8 + 8 + 8·12 + 8, the block, the norm and the head
    const block = 8 * 24 + 24 + 8 * 8 + 8 + 2 * 8 * 12 + 12 + 8 + 4 * 8;
    expect(JSON.parse(made.stdout)).toEqual({ folder: at("run"), parameters: 17 * 8 + 8 + 8 * 12 + 8 + block + 16 + 27 });
    expect(json("run/config.json").data).toMatchObject({ mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.4], size: 8, resize: 8 });
    const scored = await logrung(["eval", at("run"), `--data=${at("images")}`, "--json"]);
    expect(JSON.parse(scored.stdout)).toMatchObject({ step: 0, images: 10 });
    const back = await logrung(["convert", at("run"), at("back")]);
    expect(back.code, back.stderr).toBe(0);
    expect(read("back/model.safetensors").equals(read("published/model.safetensors"))).toBe(true);
    expect(json("back/config.json")).toEqual(json("published/config.json"));
    expect(json("back/preprocessor_config.json")).toMatchObject({ image_mean: [0.4, 0.5, 0.6], size: { height: 8, width: 8 } });
    const trained = await logrung(["train", "--resume", at("run"), `--data=${at("images")}`]);
    expect(trained.code, trained.stderr).toBe(0);
    expect(trained.stderr).toMatch(/9 to train and 1 to validate/);
    const after = await logrung(["convert", at("run"), at("after"), "--json"]);
    expect(after.code, after.stderr).toBe(0);
    expect(read("after/model.safetensors").equals(read("published/model.safetensors"))).toBe(false);
  });

  it("gives one without a head a head for the images that are named", async () => {
    const made = await logrung(["convert", at("headless"), at("two"), `--data=${at("images")}`, "--precision=state8", "--optimizer=lns-madam", "--threads=1"]);
    expect(made.code, made.stderr).toBe(0);
    expect(json("two/tokenizer/classes.json")).toEqual(["ant", "bee"]);
    expect((await logrung(["convert", at("two"), at("two-back")])).code).toBe(0);
    expect(json("two-back/config.json")).toMatchObject({ id2label: { "0": "ant", "1": "bee" }, intermediate_size: 12 });
  });

  it("refuses what does not fit", async () => {
    const fault = async (from: string, ...more: readonly string[]): Promise<string> => {
      const { code, stderr } = await logrung(["convert", at(from), at("no"), ...more]);
      expect(code, stderr).toBe(2);
      return stderr;
    };
    expect(await fault("headless")).toMatch(/this model has no head: name images .*--data <folder>/);
    expect(await fault("published", "--model.sizes.width=4")).toMatch(/--model\.sizes\.width: a converted model keeps its sizes/);
    mkdirSync(at("cut"));
    writeFileSync(at("cut/config.json"), read("published/config.json"));
    writeFileSync(at("cut/model.safetensors"), read("published/model.safetensors").subarray(0, -40));
    expect(await fault("cut")).toMatch(/cut.model\.safetensors" is not a valid safetensors file: byte \d+/);
    writeFileSync(at("cut/config.json"), JSON.stringify({ ...json("published/config.json"), model_type: "swin" }));
    writeFileSync(at("cut/model.safetensors"), read("published/model.safetensors"));
    expect(await fault("cut")).toMatch(/"model_type" is "swin", wants "gpt2" or "bert" or "vit"/);
    expect((await logrung(["train", "--resume", at("run"), "--steps=9", `--data=${at("published")}`])).stderr).toMatch(/holds no folders/);
  });
}); // prettier-ignore
