/** Training a GAN: both losses, pictures, resuming, samples, and the Fréchet distance in a classifier's features. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "fast-png";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import { inceptionCheckpoint } from "../data/inception.ts";
import { pytorchZip } from "../data/pytorch.ts";
import { inPlace, stateOf, workspace } from "./program.ts";

const folder = workspace();
const data = join(folder, "data", "fashion-mnist");

function idx(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, bytes]);
}

/** Files as Fashion-MNIST's: images brighter by class, with a pattern. */
function writeSet(part: string, count: number): void {
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * 7) % 10);
  const images = Uint8Array.from({ length: count * 784 }, (_, i) => {
    const image = Math.floor(i / 784);
    return 20 * labels[image] + ((i * (image + 3)) % (labels[image] + 2)) * 5;
  });
  writeFileSync(join(data, `${part}-images-idx3-ubyte`), idx([count, 28, 28], images));
  writeFileSync(join(data, `${part}-labels-idx1-ubyte`), idx([count], labels));
}

beforeAll(() => {
  mkdirSync(data, { recursive: true });
  writeSet("train", 40);
  writeSet("t10k", 20);
});

const shared = [`--data-dir=${join(folder, "data")}`, "--threads=1"];
const training = (output: string, steps: number, ...more: readonly string[]): string[] => [
  "train", "fashion-mnist-gan", ...shared, "--model=gan-mini", "--batch=4", "--evaluate.every=2", "--checkpoint.every=2",
  "--sample.every=2", "--sample.columns=3", `--steps=${steps}`, `--output=${join(folder, output)}`, ...more,
]; // prettier-ignore

const whole = join(folder, "whole");

describe("a run of a GAN", () => {
  it("tells both losses, and draws samples as it goes", async () => {
    const { code, stdout, stderr } = await inPlace([...training("whole", 5), "--json"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/images {3}fashion-mnist, 40 to train and 20 to validate/);
    expect(stderr).toMatch(/step 5\/5 · discriminator -?[\d.]+ · generator -?[\d.]+ · .* samples\/s/);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ recipe: "fashion-mnist-gan", steps: 5, optimizer: "madam" });
    expect(Object.keys(result.validation)).toEqual(["loss"]);
    const lines = readFileSync(join(whole, "metrics.jsonl"), "utf8").trim().split("\n");
    const last = JSON.parse(lines[4]);
    expect(last).toMatchObject({ step: 5, loss: last.discriminatorLoss });
    expect(last.generatorLoss).toBeTypeOf("number");
    expect(readdirSync(join(whole, "samples")).toSorted()).toEqual(["step-2.png", "step-4.png", "step-5.png"]);
    const picture = decode(readFileSync(join(whole, "samples", "step-5.png")));
    expect([picture.width, picture.height, picture.channels]).toEqual([3 * 30 - 2, 10 * 30 - 2, 1]);
  }); // prettier-ignore

  it("shows the pictures and both losses in its report", () => {
    const html = readFileSync(join(whole, "report.html"), "utf8");
    for (const step of [2, 4, 5])
      expect(html).toContain(`<img alt="samples after step ${step}" src="data:image/png;base64,`);
    expect(html).toContain('"title":"Discriminator and generator"');
    expect(html).toContain('"yLabel":"hinge loss"');
  });

  it.each([
    ["lns-madam", "lns-madam-8", []],
    ["adam", "fp32", ["--discriminatorSteps=2", "--ema=0.9", "--data.flip", "--accumulate=2"]],
  ] as const)("goes on as if it had never stopped, under %s in %s", async (optimizer, precision, more) => {
    const run = join(folder, `straight-${optimizer}`);
    const words = [`--optimizer=${optimizer}`, `--precision=${precision}`, "--checkpoint.keep=9", ...more];
    expect((await inPlace(training(`straight-${optimizer}`, 4, ...words))).code).toBe(0);
    const end = await stateOf(run);
    const picture = readFileSync(join(run, "samples", "step-4.png"));
    const again = await inPlace(["train", "--resume", run, "--checkpoint=step-2"]);
    expect(again.stderr).toContain("going on after step 2");
    expect(again.code).toBe(0);
    expect(await stateOf(run)).toEqual(end);
    expect(readFileSync(join(run, "samples", "step-4.png"))).toEqual(picture);
  });

  it("makes a picture, another one for another seed", async () => {
    const { code, stdout } = await inPlace(["generate", whole]);
    expect(code).toBe(0);
    const first = stdout.trim();
    expect(first).toBe(join(whole, "generated-1.png"));
    expect(readFileSync(first)).toEqual(readFileSync(join(whole, "samples", "step-5.png")));
    const other = join(folder, "pictures", "other.png");
    const told = await inPlace(["generate", whole, "--seed=2", "--columns=5", `--output=${other}`, "--json"]);
    expect(JSON.parse(told.stdout)).toMatchObject({ step: 5, picture: other, classes: 10, columns: 5, seed: 2 });
    expect(decode(readFileSync(other)).width).toBe(5 * 30 - 2);
    const wrong = await inPlace(["generate", whole, "--output=clothes.jpg"]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("wants a file *.png") });
  }); // prettier-ignore

  it("is scored by its discriminator, and by the features of a classifier", async () => {
    const classifier = join(folder, "mlp");
    const words = ["train", "fashion-mnist-mlp", ...shared, "--model=mlp-mini", "--batch=10", "--steps=4"];
    expect((await inPlace([...words, `--output=${classifier}`])).code).toBe(0);
    const plain = JSON.parse((await inPlace(["eval", whole, "--json"])).stdout);
    expect(plain).toMatchObject({ step: 5, images: 20 });
    expect(plain).not.toHaveProperty("frechet");
    const scored = await inPlace(["eval", whole, `--features=${classifier}`, "--json"]);
    const { loss, frechet } = JSON.parse(scored.stdout);
    expect(loss).toBe(plain.loss);
    expect(frechet).toMatchObject({ features: classifier, step: 4 });
    expect(frechet.distance).toBeGreaterThan(frechet.ofTrainingImages);
    expect(frechet.ofTrainingImages).toBeGreaterThanOrEqual(0);
    const line = (await inPlace(["eval", whole, `--features=${classifier}`])).stdout;
    expect(line).toMatch(/loss [\d.]+, Fréchet distance \(features of mlp, step 4; 20 images of each kind\) [\d.]+, of training/);
    expect(frechet).toMatchObject({ measure: "Fréchet distance", network: "mlp, step 4", images: 20 });
  }); // prettier-ignore

  it("is scored by the features of Inception-v3 in a file, which is named for what it is", async () => {
    const variants = [["fid", /narrowed to 128 features/], ["torchvision", /1,000 classes/]] as const;
    const published = join(folder, "inception");
    mkdirSync(published);
    const found = [];
    for (const [variant, label] of variants) {
      const tensors = inceptionCheckpoint({ variant, widthDivisor: 16 }, variant === "torchvision");
      const file = join(published, variant === "fid" ? "narrow.pth" : "model.safetensors");
      const parts = variant === "fid" ? [pytorchZip(tensors)] : encodeSafetensors(Object.fromEntries(tensors));
      writeFileSync(file, Buffer.concat(parts));
      // A file by its name, then the usual one of a folder.
      const features = variant === "fid" ? file : published;
      const { code, stdout, stderr } = await inPlace(["eval", whole, "--features", features, "--images=6", "--json"]);
      expect(code, stderr).toBe(0);
      const { images, frechet } = JSON.parse(stdout);
      expect(images).toBe(20);
      expect(frechet).toMatchObject({ measure: "Fréchet distance", features: file, images: 6 });
      expect(frechet.network).toMatch(label);
      expect(frechet.distance).toBeGreaterThan(0);
      expect(stderr).toMatch(/features of made images: 6\/6 · \d+ s/);
      expect(stderr.includes("AuxLogits in model.safetensors is left out")).toBe(variant === "torchvision");
      found.push(frechet.distance);
    }
    expect(found[0]).not.toBe(found[1]);
    const line = (await inPlace(["eval", whole, "--features", join(published, "narrow.pth"), "--images=2"])).stdout;
    expect(line).toMatch(/Fréchet distance \(features of Inception-v3 of 2015-12-05, .*; 2 images of each kind\) [\d.]+/);
  }); // prettier-ignore
});

describe("wrong use of a GAN", () => {
  const fault = async (...words: string[]): Promise<string> => {
    const { code, stderr } = await inPlace(words);
    expect(code).toBe(2);
    return stderr;
  };

  it("is told with what would do", async () => {
    expect(await fault(...training("no", 1, "--model=gan-cifar"))).toMatch(/28×28: sides must divide by 8/);
    expect(await fault(...training("no", 1, "--model=gan"))).toMatch(/"model.name" is "gan" .*gan-28/);
    expect(await fault(...training("no", 1, "--data.mixup=0.2"))).toMatch(/unknown key "data.mixup"/);
    expect(await fault("generate", whole, "--prompt=a")).toMatch(/--prompt is for runs of language models/);
    expect(await fault("generate", whole, "--columns=0")).toMatch(/--columns is 0, wants 1 or more/);
    expect(await fault("generate", join(folder, "mlp"))).toMatch(/wants a run of a language model/);
    expect(await fault("eval", join(folder, "mlp"), `--features=${whole}`)).toMatch(/for runs of GANs/);
    expect(await fault("eval", whole, `--features=${whole}`)).toMatch(/classifier of images, .* learns gan/);
    const other = join(folder, "other.pth");
    writeFileSync(other, pytorchZip(new Map([["fc.weight", { dtype: "F32", shape: [1], bytes: new Uint8Array(4) }]])));
    expect(await fault("eval", whole, `--features=${other}`)).toMatch(/no tensor "Conv2d_1a_3x3\.conv\.weight": it is another/);
    writeFileSync(other, "no tensors");
    expect(await fault("eval", whole, `--features=${other}`)).toMatch(/other\.pth" is not a valid safetensors file/);
    expect(await fault("eval", whole, "--images=3")).toMatch(/--images goes with --features/);
    expect(await fault("eval", whole, `--features=${other}`, "--images=all")).toMatch(/--images is "all", wants a whole number/);
    expect(await fault("eval", whole, `--features=${other}`, "--images=1")).toMatch(/--images is 1, wants 2 to 20/);
    expect(await fault("eval", join(folder, "mlp"), "--images=3")).toMatch(/--images is for runs of GANs/);
    expect(await fault("eval", whole, `--features=${join(folder, "nowhere")}`)).toMatch(/nowhere/);
    const several = join(folder, "several");
    mkdirSync(several);
    for (const name of ["a.pth", "b.safetensors"]) writeFileSync(join(several, name), "");
    expect(await fault("eval", whole, `--features=${several}`)).toMatch(/has several checkpoints, name one: a\.pth, b\.safe/);
    expect(await fault("eval", whole, "--data=a.txt")).toMatch(/test part/);
    expect(existsSync(join(folder, "no"))).toBe(false);
  }); // prettier-ignore
});
