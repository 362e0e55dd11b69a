/** Training on folders of PNG and JPEG files. */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode as encodePng } from "fast-png";
import { encode as encodeJpeg } from "jpeg-js";
import { beforeAll, describe, expect, it } from "vitest";
import { inPlace, logrung, stateOf, workspace } from "./program.ts";

const folder = workspace();
const at = (name: string): string => join(folder, name);

/** A picture of a class: bright above and dark below, or the other way round, with a pattern of its own. */
function picture(label: number, seed: number, width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: 4 * width * height }, (_, i) => {
    const [pixel, channel] = [i >> 2, i & 3];
    if (channel === 3) return 255;
    const isUpper = pixel < (width * height) / 2;
    return (isUpper === (label === 0) ? 190 : 50) + ((pixel * seed + channel * 7) % 40);
  });
}

function put(path: string, label: number, seed: number): void {
  const [width, height] = [12 + (seed % 5), 10 + (seed % 7)];
  const data = picture(label, seed, width, height);
  const file = at(path);
  mkdirSync(join(file, ".."), { recursive: true });
  if (path.endsWith(".png")) writeFileSync(file, encodePng({ width, height, data, channels: 4 }));
  else writeFileSync(file, encodeJpeg({ width, height, data: Buffer.from(data) }, 95).data);
}

beforeAll(() => {
  for (const [label, name] of ["ant", "bee"].entries())
    for (let i = 0; i < 10; i++) {
      const type = i % 2 === 0 ? "png" : "jpg";
      put(`set/train/${name}/${i}.${type}`, label, 3 * i + label + 1);
      if (i < 4) put(`set/val/${name}/v${i}.${type}`, label, 5 * i + label + 2);
    }
  cpSync(at("set/train"), at("one"), { recursive: true });
});

const training = (data: string, output: string, ...more: readonly string[]): string[] => [
  "train", "imagenet-vit", `--data=${at(data)}`, "--data.size=8", "--model=vit-mini", "--batch=4", "--threads=1", "--data.mixup=0",
  "--optimizer=adamw", "--precision=fp32", "--lr=0.01", "--exempt.optimizer.lr=0.01", "--schedule.warmup=0.1", "--evaluate.every=5", "--checkpoint.every=5",
  `--output=${at(output)}`, ...more,
]; // prettier-ignore

describe("a run on folders of images", () => {
  it("learns ImageNet's layout, and is scored on it and on another folder", async () => {
    const { code, stdout, stderr } = await logrung([
      ...training("set", "whole", "--steps=40", "--data.area=[0.5,1]", "--json"),
    ]);
    expect(stderr).toMatch(/images .*set.train, 20 to train and 8 to validate, changed by area, flip/);
    expect(stderr).toMatch(/8×8 pixels, 3 channels, 2 classes/);
    expect(code, stderr).toBe(0);
    const { validation, samplesPerSecond } = JSON.parse(stdout);
    expect(validation.accuracy).toBeGreaterThan(0.8);
    expect(samplesPerSecond).toBeGreaterThan(0);
    const scored = JSON.parse((await logrung(["eval", at("whole"), "--json"])).stdout);
    expect(scored).toMatchObject({ step: 40, images: 8, ...validation });
    const other = await logrung(["eval", at("whole"), `--data=${at("one")}`]);
    expect(other.stdout).toMatch(/accuracy [\d.]+ % \(step 40, 20 images of .*one\)/);
  });

  it("keeps a part of one folder to validate, and goes on as if it had never stopped", async () => {
    const run = at("parted");
    const changes = [
      "--steps=9",
      "--data.validationFraction=0.3",
      "--data.rotation=15",
      "--data.mixup=0.2",
      "--checkpoint.keep=9",
    ];
    const whole = await logrung(
      training("one", "parted", ...changes, "--optimizer=lns-madam", "--precision=lns-madam-8"),
    );
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.stderr).toMatch(
      /one, 14 to train and 6 to validate, changed by area, flip, rotation, mixup/,
    );
    const end = await stateOf(run);
    // The folder may lie elsewhere by then.
    cpSync(at("one"), at("moved/one"), { recursive: true });
    const again = await logrung([
      "train",
      "--resume",
      run,
      "--checkpoint=step-5",
      `--data=${at("moved/one")}`,
    ]);
    expect(again.code, again.stderr).toBe(0);
    expect(await stateOf(run)).toEqual(end);
    rmSync(at("moved/one/ant/0.png"));
    const other = await logrung(["train", "--resume", run, "--steps=12", `--data=${at("moved/one")}`]);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/the images of this run .* are not those it was saved with/);
  });

  it("takes as many validation images of each class as of the others", async () => {
    const { stderr } = await logrung(
      training("set", "few", "--steps=1", "--evaluate.images=4", "--data.limit=10"),
    );
    expect(stderr).toMatch(/10 to train and 4 to validate/);
  });
});

describe("what is refused", () => {
  /** Threads that decode run the built program alone, on any Node. */
  const fault = async (run: typeof inPlace, ...words: string[]): Promise<string> => {
    const { code, stderr } = await run(words);
    expect(code, stderr).toBe(2);
    return stderr;
  };

  it("is named", async () => {
    cpSync(at("set"), at("bad"), { recursive: true });
    writeFileSync(at("bad/train/ant/0.png"), "no image");
    expect(await fault(logrung, ...training("bad", "no1", "--steps=9"))).toMatch(/ant.0\.png": is no image that can be read, or is damaged/);
    cpSync(at("set"), at("bad2"), { recursive: true });
    const cut = encodeJpeg({ width: 30, height: 30, data: Buffer.from(picture(0, 1, 30, 30)) }, 90).data.subarray(0, 500);
    writeFileSync(at("bad2/val/bee/v1.jpg"), cut);
    expect(await fault(logrung, ...training("bad2", "no2", "--steps=5"))).toMatch(/bee.v1\.jpg": is no image that can be read/);
    mkdirSync(at("extra/train/ant"), { recursive: true });
    cpSync(at("set"), at("extra"), { recursive: true });
    put("extra/val/wasp/1.png", 0, 1);
    expect(await fault(inPlace, ...training("extra", "no3", "--steps=1"))).toMatch(/class "wasp" is not among the 2/);
    expect(await fault(inPlace, "train", "imagenet-vit")).toMatch(/"data.path" is missing: which images\? --data path\/to\/folder/);
    expect(await fault(inPlace, ...training("set", "no4", "--data.name=cifar-10"))).toMatch(/"data.path" is given, but "data.name" is "cifar-10": wants folder/);
    expect(await fault(inPlace, ...training("set", "no5", "--data.area=[1,0.5]"))).toMatch(/"data.area" is \[1, 0.5\], wants the least first/);
    expect(await fault(inPlace, ...training("set", "no6", "--data.resize=4"))).toMatch(/"data.resize" is 4, wants at least "data.size", 8/);
    expect(await fault(inPlace, "train", "cifar10-vit", "--data.size=16")).toMatch(/"data.size" is given, but "data.name" is "cifar-10": wants folder/);
    expect(await fault(inPlace, ...training("nowhere", "no7"))).toMatch(/^logrung: data ".*nowhere": cannot read ".*nowhere": no such file/m);
  });
}); // prettier-ignore
