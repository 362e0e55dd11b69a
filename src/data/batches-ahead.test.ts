import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { batchMaker, type BatchPlan, type ImageSource } from "./batch-maker.ts";
import { imageBatchesAhead, shareImages } from "./batches-ahead.ts";
import { DataError } from "./data-error.ts";
import { orderedFolderImages } from "./folder-batches.ts";
import { folderDigest, type ImageDecoder, openImageFolder, spreadOfFolder } from "./image-folder.ts";
import type { ImageSet } from "./image-set.ts";

const folder = mkdtempSync(join(tmpdir(), "logrung-ahead-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A decoder of files that are: width, height, then the pixels. */
const decoderText = `export function decodeImage([width, height, ...data]) {
  if (width === 0) throw new Error("no width");
  return { width, height, data: Uint8Array.from(data) };
}`;
const decoderPath = join(folder, "decoder.mjs");
writeFileSync(decoderPath, decoderText);
const decoder = pathToFileURL(decoderPath).href;
const decode: ImageDecoder = ([width, height, ...data]) => ({ width, height, data: Uint8Array.from(data) });

function put(path: string, width: number, height: number, seed = 1): void {
  const file = join(folder, path);
  mkdirSync(join(file, ".."), { recursive: true });
  const pixels = Array.from({ length: 3 * width * height }, (_, i) => (i * seed * 37) % 256);
  writeFileSync(file, Uint8Array.from([width, height, ...pixels]));
} // prettier-ignore
put("train/cat/b.png", 5, 9, 2);
put("train/cat/a.JPG", 8, 8, 3);
put("train/ant/deep/c.jpeg", 12, 6, 5);
put("train/ant/note.txt", 1, 1);
put("val/cat/z.png", 4, 4);

const set: ImageSet = {
  name: "random",
  channels: 3,
  height: 8,
  width: 8,
  classes: ["a", "b"],
  images: Uint8Array.from({ length: 10 * 192 }, (_, i) => (i * 71) % 256),
  labels: Uint8Array.from({ length: 10 }, (_, i) => i % 2),
};
const plan: BatchPlan = {
  seed: 3,
  rows: 2,
  normalisation: { mean: [0.5, 0.4, 0.3], deviation: [0.2, 0.3, 0.4] },
  augmentation: { cropPadding: 1, flip: true, rotation: 10, resizedCrop: { area: [0.3, 1], aspect: [0.75, 1.33] } },
  mixup: 0.3,
}; // prettier-ignore

// A worker made of this source file needs a Node that strips types; the compiled package does not.
const strips = Boolean((process.features as { typescript?: unknown }).typescript);

describe.skipIf(!strips)("imageBatchesAhead (skipped where Node cannot run TypeScript)", () => {
  const sources = async (): Promise<ImageSource[]> => [
    { kind: "set", set },
    { kind: "set", set: shareImages(set) },
    { kind: "folder", folder: await openImageFolder(join(folder, "train"), { size: 4 }), decoder },
  ];

  it.each([1, 2])("gives the batches that this thread makes, in any order: %d workers", async (workers) => {
    for (const source of await sources()) {
      const here = await batchMaker(source, plan);
      const ahead = imageBatchesAhead(source, plan, { lastStep: 12, workers });
      for (const step of [1, 2, 3, 12, 4]) expect(await ahead.batch(step)).toEqual(await here(step));
      const together = await Promise.all([9, 1, 20].map((step) => ahead.batch(step)));
      expect(together).toEqual(await Promise.all([9, 1, 20].map(here)));
      await ahead.close();
    }
  });

  it("tells what went wrong, at the batch that it concerns", async () => {
    put("bad/cat/a.png", 0, 1);
    const bad = await openImageFolder(join(folder, "bad"), { size: 4 });
    const ahead = imageBatchesAhead({ kind: "folder", folder: bad, decoder }, { ...plan, rows: 1 });
    const error = (await ahead.batch(1).catch((e: unknown) => e)) as Error;
    expect(error.name).toBe("DataError");
    expect(error.message).toMatch(/^logrung: data ".*a\.png": is no image that can be read.*no width/);
    await ahead.close();
    const lost = imageBatchesAhead({ kind: "folder", folder: bad, decoder: `${decoder}.none` }, plan);
    await expect(lost.batch(1)).rejects.toThrow(/decoder\.mjs\.none/);
    await lost.close();
  });

  it("refuses what is asked for at and after the end", async () => {
    const ahead = imageBatchesAhead({ kind: "set", set }, plan);
    const waiting = expect(ahead.batch(1)).rejects.toThrow("batches of images were closed");
    await ahead.close();
    await waiting;
    await expect(ahead.batch(2)).rejects.toThrow("were closed");
  });

  it("does not keep a program alive", () => {
    const module = JSON.stringify(new URL("./batches-ahead.ts", import.meta.url).href);
    const program = `
      const { imageBatchesAhead } = await import(${module});
      const set = { name: "s", channels: 1, height: 1, width: 1, classes: ["a"], images: new Uint8Array(4), labels: new Uint8Array(4) };
      const plan = { seed: 1, rows: 2, normalisation: { mean: [0], deviation: [1] } };
      imageBatchesAhead({ kind: "set", set }, plan); // asked for nothing
      const { rows } = await imageBatchesAhead({ kind: "set", set }, plan).batch(1);
      console.log(rows);`;
    const words = ["--input-type=module", "--eval", program];
    expect(execFileSync(process.execPath, words, { encoding: "utf8", timeout: 60_000 })).toBe("2\n");
  }); // prettier-ignore
});

describe("image folders", () => {
  const all = async (path: string, classes?: readonly string[]) =>
    openImageFolder(join(folder, path), { size: 4, ...(classes && { classes }) });

  it("are labelled by their folders, sorted", async () => {
    const train = await all("train");
    expect(train.classes).toEqual(["ant", "cat"]);
    expect(train.files.map((file) => file.slice(folder.length))).toEqual([
      "/train/ant/deep/c.jpeg",
      "/train/cat/a.JPG",
      "/train/cat/b.png",
    ]);
    expect([...train.labels]).toEqual([0, 1, 1]);
    expect([...(await all("val", train.classes)).labels]).toEqual([1]);
  });

  it("are judged by the middle, their edges cut off where they are scaled to more than is taken", async () => {
    put("plain/cat/a.png", 10, 8, 3);
    const read = (resize: number) => openImageFolder(join(folder, "plain"), { size: 4, resize });
    const one = async (resize: number) => {
      const { value } = await orderedFolderImages(
        await read(resize),
        1,
        { mean: [0, 0, 0], deviation: [1, 1, 1] },
        decode,
      ).next();
      return value?.pixels ?? new Float32Array();
    };
    // Scaled to 8 and cut to 4: the four middle rows and columns, as they are.
    const expected = Array.from({ length: 48 }, (_, i) => {
      const [y, x, c] = [2 + Math.floor(i / 12), 3 + Math.floor((i % 12) / 3), i % 3];
      return (((y * 10 + x) * 3 + c) * 3 * 37) % 256;
    });
    (await one(8)).forEach((value, i) => expect(value * 255).toBeCloseTo(expected[i], 3));
    expect(await one(4)).not.toEqual(await one(8));
    await expect(read(3)).rejects.toThrow(/images scaled to 3 and cut to 4: wants no less/);
  });

  it("are told apart by names and sizes, wherever they lie, and taken in part", async () => {
    const train = await all("train");
    cpSync(join(folder, "train"), join(folder, "elsewhere"), { recursive: true });
    const digest = await folderDigest(train);
    expect(await folderDigest(await all("elsewhere"))).toBe(digest);
    put("elsewhere/cat/b.png", 5, 8, 2);
    expect(await folderDigest(await all("elsewhere"))).not.toBe(digest);
    const { files, labels } = spreadOfFolder(train, 2);
    expect([files.map((path) => path.slice(-5)), [...labels]]).toEqual([
      [".jpeg", "a.JPG"],
      [0, 1],
    ]);
    expect(spreadOfFolder(train, 3)).toBe(train);
  });

  it("are judged by the middle of each image", async () => {
    const batches = [];
    for await (const batch of orderedFolderImages(await all("train"), 2, plan.normalisation, decode))
      batches.push(batch);
    expect(batches.map(({ rows, pixels }) => [rows, pixels.length])).toEqual([
      [2, 96],
      [1, 48],
    ]);
  });

  it("refuse what is no folder of classes", async () => {
    await expect(all("val", ["dog"])).rejects.toThrow(
      /class "cat" is not among the 1 of the training images/,
    );
    mkdirSync(join(folder, "empty", "cat"), { recursive: true });
    await expect(all("empty")).rejects.toThrow(/class "cat" holds no .png/);
    await expect(all("empty/cat")).rejects.toThrow(/holds no folders/);
    await expect(all("none")).rejects.toThrow(DataError);
    const short: ImageDecoder = () => ({ width: 2, height: 2, data: new Uint8Array(3) });
    const images = orderedFolderImages(await all("val"), 1, plan.normalisation, short);
    await expect(images.next()).rejects.toThrow(/z.png": 3 values decoded, wants 2 × 2 × 3/);
  });
});
