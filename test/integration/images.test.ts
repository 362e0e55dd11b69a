/** Training on labelled images: the same run folder, resuming, scoring and report as for texts. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
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
    const label = labels[Math.floor(i / 784)];
    return 20 * label + ((i % 784) % (label + 2)) * 5;
  });
  writeFileSync(join(data, `${part}-images-idx3-ubyte`), idx([count, 28, 28], images));
  writeFileSync(join(data, `${part}-labels-idx1-ubyte`), idx([count], labels));
}

beforeAll(() => {
  mkdirSync(data, { recursive: true });
  writeSet("train", 60);
  writeSet("t10k", 25);
});

const training = (output: string, steps: number, ...more: readonly string[]): string[] => [
  "train", "fashion-mnist-mlp", `--data-dir=${join(folder, "data")}`, "--model=mlp-mini", "--batch=10", "--threads=1",
  "--evaluate.every=2", "--checkpoint.every=2", `--steps=${steps}`, `--output=${join(folder, output)}`, ...more,
]; // prettier-ignore

describe("a run on images", () => {
  it("says accuracy and samples a second, and can be scored", async () => {
    const { code, stdout, stderr } = await inPlace([...training("whole", 6), "--json"]);
    expect(stderr).toMatch(/images {3}fashion-mnist, 60 to train and 25 to validate/);
    expect(stderr).toMatch(/step 2: validation loss [\d.]+, accuracy [\d.]+ %/);
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ recipe: "fashion-mnist-mlp", steps: 6, parameters: 784 * 12 + 12 + 130 });
    expect(result.samplesPerSecond).toBeGreaterThan(0);
    expect(result).not.toHaveProperty("tokensPerSecond");
    const scored = await inPlace(["eval", join(folder, "whole"), "--json"]);
    const { loss, accuracy } = result.validation;
    expect(JSON.parse(scored.stdout)).toMatchObject({ step: 6, images: 25, loss, accuracy });
    const lines = readFileSync(join(folder, "whole", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(JSON.parse(lines[5])).toMatchObject({ step: 6, validationAccuracy: accuracy });
  });

  it("shows its mistakes and its classes in the report", () => {
    const html = readFileSync(join(folder, "whole", "report.html"), "utf8");
    expect(html).toContain("img-src data:");
    expect(html).toMatch(
      /<img alt="[^"]+, taken for [^"]+" width="84" height="84" src="data:image\/png;base64,/,
    );
    expect(html).toContain("<th>Ankle boot</th>");
    expect(html).toContain("samples a second");
  });

  it("goes on as if it had never stopped", async () => {
    const changes = ["--data.crop=2", "--data.flip", "--data.mixup=0.2", "--label-smoothing=0.1"];
    const run = join(folder, "straight");
    expect((await inPlace(training("straight", 6, ...changes, "--checkpoint.keep=9"))).code).toBe(0);
    const end = await stateOf(run);
    const again = await inPlace(["train", "--resume", run, "--checkpoint=step-2"]);
    expect(again.stderr).toContain("going on after step 2");
    expect(again.code).toBe(0);
    expect(await stateOf(run)).toEqual(end);
  });

  it("does not go on with other images", async () => {
    writeSet("train", 50);
    const { code, stderr } = await inPlace(["train", "--resume", join(folder, "straight"), "--steps=9"]);
    writeSet("train", 60);
    expect(code).toBe(2);
    expect(stderr).toMatch(/the images of this run .* are not those it was saved with.*--data-dir <folder>/);
  });
});

describe("wrong use", () => {
  const fault = async (...words: string[]): Promise<string> => {
    const { code, stderr } = await inPlace(words);
    expect(code).toBe(2);
    return stderr;
  };

  it("is told with what would do", async () => {
    expect(await fault(...training("no", 1, "--model=convnett"))).toMatch(
      /convnett" \(did you mean "convnet"/,
    );
    expect(await fault(...training("no", 1, "--data=a.txt"))).toMatch(
      /"data.path" is given, but "data.name" is "fashion-mnist"/,
    );
    expect(await fault(...training("no", 1, "--task=sound"))).toMatch(/"task" is "sound"/);
    expect(await fault(...training("no", 1, "--data.mean=[0,1]"))).toMatch(
      /"data.mean" has 2 numbers, wants 1/,
    );
    expect(await fault(...training("no", 1, "--model.dropout=0.1"))).toMatch(/mlp-mini drops nothing/);
    expect(await fault("generate", join(folder, "whole"))).toMatch(
      /generate wants a run of a language model or of a GAN, this one \(.*\) learns classes of images/,
    );
    expect(await fault("eval", join(folder, "whole"), "--data=a.txt")).toMatch(/test part/);
    expect(await fault(...training("no", 1, "--data-dir=/nowhere"))).toMatch(/no "train-images-idx3-ubyte"/);
  });
});
