import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { CifarError, parseCifar } from "../io/cifar.ts";
import { IdxError, parseIdx } from "../io/idx.ts";
import { augmented } from "./augment.ts";
import type { Image } from "./image.ts";
import { epochIndices, orderedImages, trainingImages } from "./image-batches.ts";
import { checkImageSet, classCounts, type ImageSet } from "./image-set.ts";
import { dataset as cifar10 } from "./sets/cifar-10.ts";
import { dataset as cifar100 } from "./sets/cifar-100.ts";
import { dataset as cifar100Coarse } from "./sets/cifar-100-coarse.ts";
import { dataset as fashionMnist } from "./sets/fashion-mnist.ts";

const tiny: ImageSet = {
  name: "tiny",
  channels: 2,
  height: 2,
  width: 3,
  classes: ["a", "b"],
  images: Uint8Array.from({ length: 36 }, (_, i) => i * 7),
  labels: Uint8Array.of(0, 1, 1),
};
const plain = { mean: [0, 0], deviation: [1, 1] };
const idx = (...bytes: number[]): Uint8Array => Uint8Array.from([0, 0, 8, ...bytes]);

describe("parseIdx", () => {
  it("reads sizes and elements", () => {
    const file = idx(3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 8, 7, 6);
    expect(parseIdx(file, "x", 3)).toEqual({ shape: [1, 2, 2], data: Uint8Array.of(9, 8, 7, 6) });
  });

  it.each([
    ["swapped files", idx(1, 0, 0, 0, 1, 5), 3, /byte 3: has 1 sizes, wants 3 .*swapped/],
    ["a compressed file", Uint8Array.of(0x1f, 0x8b, 8, 0), 1, /byte 0: .*compressed/],
    ["floats", Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 0), 1, /byte 2: elements are of type 13/],
    ["a cut file", idx(1, 0, 0, 0, 3, 1), 1, /byte 9: it ends here, wants 11 bytes/],
    ["a file with a tail", idx(1, 0, 0, 0, 1, 1, 2, 3), 1, /byte 9: 2 bytes too many/],
    ["a cut header", idx(3, 0, 0), 3, /byte 6: it ends within the sizes/],
  ])("refuses %s", (_, bytes, rank, message) => {
    expect(() => parseIdx(bytes, "x", rank)).toThrow(IdxError);
    expect(() => parseIdx(bytes, "x", rank)).toThrow(message);
  });
});

describe("parseCifar", () => {
  const record = (label: number): number[] => [label, ...Array.from({ length: 3072 }, (_, i) => i % 251)];

  it("separates labels from pixels", () => {
    const { images, labels } = parseCifar(Uint8Array.from([...record(3), ...record(9)]), "x", [10]);
    expect(labels[0]).toEqual(Uint8Array.of(3, 9));
    expect([images.length, images[0], images[250], images[3072 + 5]]).toEqual([6144, 0, 250, 5]);
  });

  it.each([
    ["nothing", [], /byte 0: it is empty/],
    ["a cut record", record(1).slice(1), /byte 3072: it ends within record 0/],
    ["a label of no class", [...record(1), ...record(10)], /byte 3073: label 10 of record 1, wants 0 to 9/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseCifar(Uint8Array.from(bytes), "x", [10])).toThrow(CifarError);
    expect(() => parseCifar(Uint8Array.from(bytes), "x", [10])).toThrow(message);
  });
});

describe("image batches", () => {
  it("see every image once an epoch, in another order each epoch", () => {
    const epochs = [0, 1].map((epoch) =>
      [1, 2, 3, 4].flatMap((step) => [...epochIndices(12, 5, epoch * 4 + step, 3)]),
    );
    for (const order of epochs) expect(order.toSorted((a, b) => a - b)).toEqual([...Array(12).keys()]);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect([...epochIndices(12, 5, 3, 3)]).toEqual(epochs[0].slice(6, 9));
  });

  it("put channels last and normalise", () => {
    const [batch] = orderedImages(tiny, 2, { mean: [0.5, 0], deviation: [0.25, 1] });
    expect(batch.rows).toBe(2);
    const at = (byte: number, mean: number, deviation: number): number =>
      Math.fround((byte / 255 - mean) / deviation);
    expect(batch.pixels[2]).toBeCloseTo(at(7, 0.5, 0.25), 5); // second pixel, first channel
    expect(batch.pixels[3]).toBeCloseTo(at(49, 0, 1), 5); // second pixel, second channel
    expect([...orderedImages(tiny, 2, plain)].map(({ rows }) => rows)).toEqual([2, 1]);
  });

  it("mix images and remember with what", () => {
    const options = { seed: 1, step: 1, rows: 3, normalisation: plain };
    const straight = trainingImages(tiny, options);
    const { pixels, mixture } = trainingImages(tiny, { ...options, mixup: 0.4 });
    expect(mixture?.labels).toEqual(Int32Array.from([1, 2, 0], (row) => straight.labels[row]));
    const share = mixture?.share ?? 0;
    expect(pixels[4]).toBeCloseTo(share * straight.pixels[4] + (1 - share) * straight.pixels[16], 6);
  });
});

describe("augmented", () => {
  const image = {
    channels: 1,
    height: 4,
    width: 4,
    pixels: Float32Array.from({ length: 16 }, (_, i) => i + 1),
  };

  it("crops within the padding and is a function of its key", () => {
    const seen = new Set<string>();
    for (let key = 0; key < 64; key++) {
      const crop = augmented(image, { cropPadding: 1 }, [key, 9]);
      expect(augmented(image, { cropPadding: 1 }, [key, 9])).toEqual(crop);
      const middle = crop.pixels[5];
      expect([1, 2, 3, 5, 6, 7, 9, 10, 11]).toContain(middle);
      seen.add([...crop.pixels].join());
    }
    expect(seen.size).toBe(9);
  });

  it("mirrors about half of the images", () => {
    const mirrored = Array.from({ length: 200 }, (_, key) => augmented(image, { flip: true }, [key, 1]));
    const count = mirrored.filter(({ pixels }) => pixels[0] === 4 && pixels[3] === 1).length;
    expect(count).toBeGreaterThan(70);
    expect(count).toBeLessThan(130);
  });

  it("keeps a whole crop and a constant image as they are", () => {
    const whole = augmented(image, { resizedCrop: { area: [1, 1], aspect: [1, 1] } }, [1, 2]);
    whole.pixels.forEach((value, i) => expect(value).toBeCloseTo(image.pixels[i], 5));
    const flat = { ...image, pixels: new Float32Array(16).fill(2) };
    const part = augmented(flat, { resizedCrop: { area: [0.2, 0.5], aspect: [0.8, 1.25] } }, [3, 4]);
    expect(part.pixels[5]).toBeCloseTo(2, 5);
  });

  /** Rises by one a pixel to the right: any part of it, however turned, is a plane whose slopes tell what was done. */
  const slope: Image = {
    channels: 1,
    height: 32,
    width: 32,
    pixels: Float32Array.from({ length: 1024 }, (_, i) => i % 32),
  };
  const slopesOf = (turned: Image, key: number) => {
    const at = (y: number, x: number): number => turned.pixels[y * turned.width + x];
    const [y, x] = [turned.height >> 1, turned.width >> 1];
    const [across, down] = [at(y, x + 1) - at(y, x), at(y + 1, x) - at(y, x)];
    expect(at(y - 1, x - 1), `a plane, by key ${key}`).toBeCloseTo(at(y, x) - across - down, 4);
    return { across, down, middle: at(y, x) };
  };
  const keys = Array.from({ length: 40 }, (_, key) => key);

  it("turns about the middle, by angles up to the one given on both sides", () => {
    const angles = keys.map((key) => {
      const { across, down, middle } = slopesOf(augmented(slope, { rotation: 30 }, [key, 6]), key);
      expect(Math.hypot(across, down)).toBeCloseTo(1, 4);
      expect(middle).toBeCloseTo(15.5 + across / 2 + down / 2, 4);
      return (Math.atan2(down, across) * 180) / Math.PI;
    });
    for (const angle of angles) expect(Math.abs(angle)).toBeLessThanOrEqual(30);
    expect(Math.max(...angles)).toBeGreaterThan(20);
    expect(Math.min(...angles)).toBeLessThan(-20);
  });

  it("cuts parts of the areas and shapes that are given, and scales them to the size wanted", () => {
    const resizedCrop = { area: [0.1, 0.4], aspect: [0.5, 2] } as const;
    const upright = { ...slope, pixels: Float32Array.from({ length: 1024 }, (_, i) => Math.floor(i / 32)) };
    const size = { height: 64, width: 64 }; // parts grow: bilinear, so planes stay planes
    const cuts = keys.map((key) => {
      const width = 64 * slopesOf(augmented(slope, { resizedCrop }, [key, 7], size), key).across;
      const height = 64 * slopesOf(augmented(upright, { resizedCrop }, [key, 7], size), key).down;
      return { area: (width * height) / 1024, aspect: width / height };
    });
    for (const { area, aspect } of cuts) {
      expect(area).toBeGreaterThan(0.0999);
      expect(area).toBeLessThan(0.4001);
      expect(Math.abs(Math.log2(aspect))).toBeLessThan(1.0001);
    }
    const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);
    expect(spread(cuts.map(({ area }) => area))).toBeGreaterThan(2.5);
    expect(spread(cuts.map(({ aspect }) => aspect))).toBeGreaterThan(2.5);
  });
});

describe("checkImageSet", () => {
  it("refuses what does not belong together", () => {
    expect(() => checkImageSet({ ...tiny, labels: Uint8Array.of(0, 1) })).toThrow(/3 images but 2 labels/);
    expect(() => checkImageSet({ ...tiny, labels: Uint8Array.of(0, 1, 2) })).toThrow(/label 2 of image 2/);
  });
});

describe("damaged files of sets", () => {
  const folder = mkdtempSync(join(tmpdir(), "logrung-sets-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const count = (value: number): number[] => [0, 0, value >> 8, value & 255];
  const imageFile = (images: number): Uint8Array =>
    Buffer.concat([idx(3, ...count(images), ...count(28), ...count(28)), Buffer.alloc(images * 784)]);
  const labelFile = (labels: readonly number[]): Uint8Array => idx(1, ...count(labels.length), ...labels);
  const put = (name: string, bytes: Uint8Array): void => writeFileSync(join(folder, name), bytes);
  const load = (images: Uint8Array, labels: Uint8Array) => {
    put("train-images-idx3-ubyte", images);
    put("train-labels-idx1-ubyte.gz", gzipSync(labels));
    return fashionMnist.load(folder, "train");
  };

  it("are refused by name and byte", async () => {
    expect([...(await load(imageFile(2), labelFile([3, 9]))).labels]).toEqual([3, 9]);
    const labels = labelFile([3, 9]);
    await expect(load(labels, imageFile(2))).rejects.toThrow(/train-images-idx3-ubyte" .*byte 3: .*swapped/);
    await expect(load(imageFile(2), labelFile([3, 10]))).rejects.toThrow(/labels.*byte 9: label 10, wants 0 to 9/);
    await expect(load(imageFile(3), labels)).rejects.toThrow(/3 images but 2 labels/);
    await expect(load(imageFile(2).subarray(0, 1000), labels)).rejects.toThrow(/images.*byte 1000: it ends here/);
    const other = imageFile(10_000);
    await expect(load(other, labels)).rejects.toThrow(/byte 4: 10000 images, as the test files have, wants 60000/);
    put("train-labels-idx1-ubyte.gz", gzipSync(labels).subarray(0, 20));
    await expect(fashionMnist.load(folder, "train")).rejects.toThrow(/labels-idx1-ubyte.gz": byte 20: its gzip data are cut/);
    await expect(fashionMnist.load(folder, "test")).rejects.toThrow(/no "t10k-images-idx3-ubyte" or .*logrung data get/);
  });

  it("of CIFAR-100 are refused, and its coarse labels can be had", async () => {
    const record = (coarse: number, fine: number) => Uint8Array.from([coarse, fine, ...new Uint8Array(3072)]);
    put("train.bin", Buffer.concat([record(19, 99), record(1, 2)]));
    expect((await cifar100.load(folder, "train")).labels).toEqual(Uint8Array.of(99, 2));
    expect((await cifar100Coarse.load(folder, "train")).labels).toEqual(Uint8Array.of(19, 1));
    put("train.bin", Buffer.concat([record(1, 2), record(20, 99)]));
    await expect(cifar100.load(folder, "train")).rejects.toThrow(/train.bin".*byte 3074: label 20 of record 1, wants 0 to 19/);
    put("train.bin", record(1, 2).subarray(1)); // CIFAR-10's record
    await expect(cifar100.load(folder, "train")).rejects.toThrow(/byte 3073: it ends within record 0/);
  });
}); // prettier-ignore

const shared = new URL("../../../shared/data/", import.meta.url);
const folderOf = (name: string): string => new URL(name, shared).pathname;

describe.skipIf(!existsSync(shared))("official files (skipped where the data sets are absent)", () => {
  it("reads Fashion-MNIST's test images", async () => {
    const set = await fashionMnist.load(folderOf("fashion-mnist"), "test");
    expect(set.labels.length).toBe(10000);
    expect(classCounts(set)).toEqual(Array.from({ length: 10 }, () => 1000));
  });

  it("refuses CIFAR-10's batches under each other's names", async () => {
    const folder = mkdtempSync(join(tmpdir(), "logrung-swapped-"));
    symlinkSync(join(folderOf("cifar-10"), "data_batch_1.bin.gz"), join(folder, "test_batch.bin.gz"));
    await expect(cifar10.load(folder, "test")).rejects.toThrow(
      /test_batch.bin.gz" holds the official "data_batch_1.bin": are the files swapped\?/,
    );
    rmSync(folder, { recursive: true });
  });

  it("reads CIFAR-10's test batch", async () => {
    const set = await cifar10.load(folderOf("cifar-10"), "test");
    expect([set.labels.length, set.images.length]).toEqual([10000, 10000 * 3072]);
  });
});
