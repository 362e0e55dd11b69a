import { afterAll, describe, expect, it } from "vitest";
import { inceptionCheckpoint, inceptionForward } from "../../test/data/inception.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import { readValues } from "../tensor/tensor.ts";
import { auxiliaryTensors, inceptionFeatures, inceptionTensors, trainedNumbers } from "./inception-layers.ts";
import { InceptionV3 } from "./inception-v3.ts";
import { fidWeightsSha256, InceptionError, inceptionLabel, readInceptionV3 } from "./inception-weights.ts";

const wasm = new Device(await createWasmBackend({ threads: 1 }));
const reference = new Device(createReferenceBackend({ precision: "float32" }));
afterAll(() => Promise.all([wasm.close(), reference.close()]));

const narrow = { fid: { variant: "fid", widthDivisor: 16 }, torchvision: { variant: "torchvision", widthDivisor: 16 } } as const; // prettier-ignore
const variants = ["fid", "torchvision"] as const;

describe("the published network", () => {
  it("has as many parameters as it is published with", () => {
    const torchvision = { variant: "torchvision" } as const;
    expect(trainedNumbers(inceptionTensors(torchvision))).toBe(23_834_568);
    const both = [...inceptionTensors(torchvision), ...auxiliaryTensors(torchvision)];
    expect(trainedNumbers(both)).toBe(27_161_264);
    // Eight outputs more, of 2,048 weights and a bias each.
    expect(trainedNumbers(inceptionTensors({ variant: "fid" }))).toBe(23_834_568 + 8 * 2049);
    expect(inceptionFeatures(torchvision)).toBe(2048);
  });

  it("has 94 convolutions, of five tensors each, and a head", () => {
    const names = inceptionTensors({ variant: "fid" }).map(({ name }) => name);
    expect(new Set(names).size).toBe(94 * 5 + 2);
    expect(names).toContain("Mixed_7c.branch3x3dbl_3b.bn.running_var");
  });
});

const size = 75; // the least: 1×1 pixels at the end of each variant, and 3×3 and 7×7 before
const plane = size * size * 3;
const images = Float32Array.from(
  { length: 2 * plane },
  (_, i) => Math.max(-1, Math.min(1, 0.5 * normal([5, 9], i))), // prettier-ignore
);

async function run(device: Device, checkpoint: ReadonlyMap<string, SafetensorsTensor>, batch: number) {
  const model = new InceptionV3(device, readInceptionV3(checkpoint));
  const read = await device.step(() =>
    device.tape.without(async () => {
      const shape = { batch, height: size, width: size, channels: 3 };
      const pixels = device.tensor(images.slice(0, batch * plane), [batch * size * size, 3]);
      const features = model.features({ pixels, shape });
      const values = await readValues(features);
      return { features: values, logits: await readValues(model.logits(features)), left: device.stepBytes };
    }),
  );
  model.free();
  return read;
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (value, i) => Math.abs(value - b[i])).reduce((most, value) => Math.max(most, value), 0);

describe.each(variants)("Inception-v3, %s", (variant) => {
  const config = narrow[variant];
  const checkpoint = inceptionCheckpoint(config);
  const forwards = [0, 1].map((n) => {
    const values = Float64Array.from(images.subarray(n * plane, (n + 1) * plane));
    return inceptionForward(
      { height: size, width: size, channels: 3, values },
      checkpoint,
      variant === "fid",
    );
  });

  it("computes what the published network says, batch norms unfolded, in float64", async () => {
    const { features, logits, left } = await run(wasm, checkpoint, 2);
    expect(features.length).toBe(2 * 128);
    expect(farthest(features, forwards.flatMap((one) => one.features))).toBeLessThan(2e-5);
    expect(farthest(logits, forwards.flatMap((one) => one.logits))).toBeLessThan(2e-5);
    // Features, logits and the weights of neither: activations were given back on the way.
    expect(left).toBeLessThan(4 * (features.length + logits.length) + 1000);
  }); // prettier-ignore

  it("is told from the other by its pools", () => {
    const values = Float64Array.from(images.subarray(0, plane));
    const other = inceptionForward({ height: size, width: size, channels: 3, values }, checkpoint, variant !== "fid");
    expect(farthest(other.features, forwards[0].features)).toBeGreaterThan(0.01);
  }); // prettier-ignore
});

it("gives on wasm what the reference gives", async () => {
  const checkpoint = inceptionCheckpoint(narrow.fid);
  const [ours, theirs] = [await run(wasm, checkpoint, 1), await run(reference, checkpoint, 1)];
  expect(farthest(ours.features, theirs.features)).toBeLessThan(2e-5);
});

describe("reading a checkpoint", () => {
  const given = inceptionCheckpoint(narrow.torchvision);
  const changed = (name: string, tensor: SafetensorsTensor | null) => {
    const copy = new Map(given);
    if (tensor) copy.set(name, tensor);
    else copy.delete(name);
    return () => readInceptionV3(copy);
  };
  const floats = (...shape: readonly number[]): SafetensorsTensor => ({
    dtype: "F32", shape, bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
  }); // prettier-ignore

  it("tells the variant by the outputs of fc, and passes the auxiliary classifier and counts over", () => {
    expect(readInceptionV3(given)).toMatchObject({ config: narrow.torchvision, hadAuxiliary: false });
    const whole = inceptionCheckpoint(narrow.fid, true);
    whole.set("Conv2d_1a_3x3.bn.num_batches_tracked", { dtype: "I64", shape: [], bytes: new Uint8Array(8) });
    const read = readInceptionV3(whole);
    expect(read).toMatchObject({ config: narrow.fid, hadAuxiliary: true });
    expect(read.layers.size).toBe(95);
    expect([...read.layers.keys()].some((name) => name.startsWith("AuxLogits"))).toBe(false);
  });

  it("names what does not fit", () => {
    expect(changed("fc.bias", null)).toThrow(InceptionError);
    expect(changed("Mixed_6b.branch7x7_2.conv.weight", null)).toThrow(/no tensor "Mixed_6b\.branch7x7_2\.conv\.weight"$/);
    expect(changed("fc.weight", null)).toThrow(/no tensor "fc\.weight": it is another network/);
    expect(changed("fc.weight", floats(10, 128))).toThrow(/"fc\.weight" is \[10, 128\], wants 1008 outputs .* or 1000/);
    expect(changed("fc.weight", floats(1000, 64))).toThrow(/"fc\.weight" is \[1000, 64\], wants \[1000, 128\]/);
    expect(changed("Conv2d_1a_3x3.conv.weight", floats(30, 3, 3, 3))).toThrow(
      /"Conv2d_1a_3x3\.conv\.weight" is \[30, 3, 3, 3\], wants \[32, 3, 3, 3\]/,
    );
    expect(changed("Mixed_6b.branch7x7_2.conv.weight", floats(8, 8, 7, 1))).toThrow(/is \[8, 8, 7, 1\], wants \[8, 8, 1, 7\]/);
    expect(changed("layer1.0.conv1.weight", floats(1))).toThrow(/a tensor "layer1\.0\.conv1\.weight" that/);
    expect(changed("AuxLogits.conv2.conv.weight", floats(1))).toThrow(/AuxLogits\.conv2/);
    expect(changed("fc.num_batches_tracked", floats())).toThrow(/fc\.num_batches_tracked/);
    expect(changed("fc.bias", { dtype: "I32", shape: [1000], bytes: new Uint8Array(4000) })).toThrow(/"fc\.bias" is I32/);
    const negative = { ...floats(2), bytes: new Uint8Array(Float32Array.of(1, -1).buffer) };
    expect(changed("Conv2d_1a_3x3.bn.running_var", negative)).toThrow(/running_var" has -1 for channel 1/);
    expect(() => readInceptionV3(new Map([["fc.weight", floats(1000, 2048)]]))).toThrow(/Conv2d_1a_3x3/);
    const pruned = new Map([...given].filter(([name]) => !name.startsWith("Mixed_7c.branch1x1")));
    expect(() => readInceptionV3(pruned)).toThrow(/"Mixed_7c\.branch1x1\.conv\.weight" \(and 4 more that are missing\)/);
  }); // prettier-ignore

  it("calls only the published weights' the FID", () => {
    const network = "Inception-v3 of 2015-12-05, 1,008 outputs, as pytorch-fid";
    expect(inceptionLabel({ variant: "fid" }, fidWeightsSha256)).toEqual({ measure: "FID", network });
    const other = `${network}, weights of another file than pytorch-fid's`;
    expect(inceptionLabel({ variant: "fid" }, "0".repeat(64))).toEqual({
      measure: "unverified FID",
      network: other,
    });
    const { measure } = inceptionLabel({ variant: "torchvision" }, fidWeightsSha256);
    expect(measure).toBe("Fréchet distance");
    expect(inceptionLabel(narrow.fid, fidWeightsSha256)).toEqual({
      measure: "Fréchet distance",
      network: `${network}, narrowed to 128 features`,
    });
    expect(fidWeightsSha256).toMatch(/^6726825d[0-9a-f]{56}$/);
  });
});
