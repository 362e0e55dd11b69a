import { describe, expect, it } from "vitest";
import {
  affine,
  attention,
  exactGelu,
  largestDifference,
  layerNorm,
  type Rows,
  rowsOf,
  sumOf,
} from "../../test/float64-transformer.ts";
import { random } from "../../test/numerical-gradient.ts";
import { floatBytes, floatValues } from "../io/element-values.ts";
import type { SafetensorsTensor } from "../io/safetensors.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { evaluationPass } from "../nn/pass.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { readHuggingFaceVit, writeHuggingFaceVit } from "./huggingface-vit.ts";
import { vit } from "./vit.ts";

const [width, hidden, heads, patch, channels, side, classes] = [16, 24, 4, 2, 3, 6, 5];
const patches = (side / patch) ** 2;
const settings = {
  model_type: "vit",
  image_size: side,
  patch_size: patch,
  num_channels: channels,
  hidden_size: width,
  num_hidden_layers: 2,
  num_attention_heads: heads,
  intermediate_size: hidden,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  id2label: { "0": "a", "1": "b", "2": "c", "3": "d", "4": "e" },
};

/** Linear layers and norms of a block, as published. */
const dense = (name: string, out: number, into: number): Record<string, number[]> => ({
  [`${name}.weight`]: [out, into],
  [`${name}.bias`]: [out],
});
const norm = (name: string): Record<string, number[]> => ({
  [`${name}.weight`]: [width],
  [`${name}.bias`]: [width],
});
const block = (name: string): Record<string, number[]> => ({
  ...norm(`${name}.layernorm_before`),
  ...dense(`${name}.attention.attention.query`, width, width),
  ...dense(`${name}.attention.attention.key`, width, width),
  ...dense(`${name}.attention.attention.value`, width, width),
  ...dense(`${name}.attention.output.dense`, width, width),
  ...norm(`${name}.layernorm_after`),
  ...dense(`${name}.intermediate.dense`, hidden, width),
  ...dense(`${name}.output.dense`, width, hidden),
});
const body: Record<string, number[]> = {
  "embeddings.cls_token": [1, 1, width],
  "embeddings.position_embeddings": [1, 1 + patches, width],
  "embeddings.patch_embeddings.projection.weight": [width, channels, patch, patch],
  "embeddings.patch_embeddings.projection.bias": [width],
  ...block("encoder.layer.0"),
  ...block("encoder.layer.1"),
  ...norm("layernorm"),
};
const prefixed = Object.fromEntries(Object.entries(body).map(([name, shape]) => [`vit.${name}`, shape]));
const shapes: Record<string, number[]> = { ...prefixed, ...dense("classifier", classes, width) };

function published(all = shapes, type: "f32" | "f16" = "f32"): Map<string, SafetensorsTensor> {
  const dtype = type === "f32" ? "F32" : "F16";
  const entries = Object.entries(all).map(([name, shape]): [string, SafetensorsTensor] => {
    const size = shape.reduce((a, b) => a * b, 1);
    const shift = /layernorm.*weight/.test(name) ? 1 : 0;
    const values = Float32Array.from(random(name.replace("vit.", ""), size), (x) => 0.4 * x + shift);
    return [name, { dtype, shape, bytes: floatBytes(values, type) }];
  });
  return new Map(entries);
}

/** An image as Hugging Face takes it: planes of channels. */
const planes = Float32Array.from(random("image", channels * side * side));
const pixel = (c: number, y: number, x: number): number => planes[(c * side + y) * side + x];

/** ViT in float64, straight from the published tensors. */
function expected(tensors: ReadonlyMap<string, SafetensorsTensor>): number[][] {
  const of = (name: string): ArrayLike<number> => {
    const { dtype, bytes } = tensors.get(name) ?? { dtype: "F32", bytes: new Uint8Array() };
    return floatValues(bytes, dtype === "F16" ? "f16" : "f32");
  };
  const linear = (x: Rows, name: string): number[][] =>
    affine(x, rowsOf(of(`${name}.weight`), x[0].length), of(`${name}.bias`));
  const normal = (x: Rows, name: string): number[][] =>
    layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-12);
  const filters = of("vit.embeddings.patch_embeddings.projection.weight");
  const bias = of("vit.embeddings.patch_embeddings.projection.bias");
  const embedded = Array.from({ length: patches }, (_, place) => {
    const [top, left] = [Math.floor(place / 3) * patch, (place % 3) * patch];
    return Array.from(bias, (b, o) => {
      let sum = b;
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < patch; ky++)
          for (let kx = 0; kx < patch; kx++)
            sum += filters[((o * channels + c) * patch + ky) * patch + kx] * pixel(c, top + ky, left + kx);
      return sum;
    });
  });
  const tokens = [Array.from(of("vit.embeddings.cls_token")), ...embedded];
  let x = sumOf(tokens, rowsOf(of("vit.embeddings.position_embeddings"), width));
  for (const i of [0, 1]) {
    const name = `vit.encoder.layer.${i}`;
    const a = normal(x, `${name}.layernorm_before`);
    const parts = ["query", "key", "value"].map((part) => linear(a, `${name}.attention.attention.${part}`));
    const qkv = a.map((_, t) => parts.flatMap((rows) => rows[t]));
    x = sumOf(x, linear(attention(qkv, heads), `${name}.attention.output.dense`));
    const wide = linear(normal(x, `${name}.layernorm_after`), `${name}.intermediate.dense`);
    x = sumOf(
      x,
      linear(
        wide.map((row) => row.map(exactGelu)),
        `${name}.output.dense`,
      ),
    );
  }
  return linear(normal([x[0]], "vit.layernorm"), "classifier");
}

async function ours(device: Device, tensors: ReadonlyMap<string, SafetensorsTensor>): Promise<number[][]> {
  const read = readHuggingFaceVit({ config: settings, tensors });
  const made = vit(device, { ...read.images, classes }, read.config, 1);
  for (const { name, tensor } of made.parameters)
    device.backend.write(tensor.storage.slice(), read.weights.get(name) ?? new Float32Array());
  const rows = Float32Array.from({ length: planes.length }, (_, i) => {
    const at = Math.floor(i / channels);
    return pixel(i % channels, Math.floor(at / side), at % side);
  });
  const pass = evaluationPass(parsePolicy("fp32"), 1);
  const logits = await device.step(async () =>
    readTensor(made.logits(device.tensor(rows, [side * side, channels]), 1, pass)),
  );
  await device.close();
  return rowsOf(logits, classes);
}

describe("a published ViT", () => {
  it("gives the same logits, in float64 to 1e-10", async () => {
    const device = new Device(createReferenceBackend({ precision: "float64" }));
    expect(largestDifference(await ours(device, published()), expected(published()))).toBeLessThan(1e-10);
  });

  it("gives the same logits in WebAssembly, from halves, beside a pooler", async () => {
    const tensors = published({ ...shapes, "vit.pooler.dense.bias": [width] }, "f16");
    const logits = await ours(new Device(await createWasmBackend({ threads: 1 })), tensors);
    expect(largestDifference(logits, expected(tensors))).toBeLessThan(1e-5);
  });

  it("is written back as it was read", () => {
    const read = readHuggingFaceVit({ config: settings, tensors: published() });
    expect(read.classes).toEqual(["a", "b", "c", "d", "e"]);
    const { config, tensors } = writeHuggingFaceVit(read);
    expect(config).toMatchObject({ ...settings, architectures: ["ViTForImageClassification"] });
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(published()));
  });

  it("without a head is read and written without one", () => {
    const read = readHuggingFaceVit({
      config: settings,
      tensors: published({ ...body, "pooler.dense.bias": [16] }),
    });
    expect([read.classes, read.weights.has("heads.head.weight")]).toEqual([null, false]);
    const { config, tensors } = writeHuggingFaceVit(read);
    expect(config).toMatchObject({ architectures: ["ViTModel"] });
    expect(config).not.toHaveProperty("id2label");
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(published(body)));
  });

  const without = (name: string) => {
    const { [name]: _, ...rest } = shapes;
    return published(rest);
  };
  const key = "vit.encoder.layer.1.attention.attention.key.weight";

  it.each([
    ["a missing tensor", {}, without(key), /no tensor "encoder\.layer\.1\.attention\.attention\.key\.weight"/],
    ["a tensor more", {}, published({ ...shapes, "vit.encoder.layer.2.output.dense.bias": [16] }), /"encoder\.layer\.2\.output\.dense\.bias" that ViT does not have/],
    ["another shape", {}, published({ ...shapes, [key]: [16, 8] }), /key\.weight" is \[16, 8\], wants \[16, 16\]/],
    ["patches of another size", { patch_size: 3 }, published(), /position_embeddings" is \[1, 10, 16\], wants \[1, 5, 16\]/],
    ["other classes", { id2label: { "0": "a", "1": "b" } }, published(), /"classifier\.weight" is \[5, 16\], wants \[2, 16\]/],
    ["classes that are not numbered", { id2label: { "0": "a", x: "b" } }, published(), /"id2label" has undefined for "1"/],
    ["another activation", { hidden_act: "gelu_new" }, published(), /"hidden_act" is "gelu_new", wants "gelu"/],
    ["another model", { model_type: "deit" }, published(), /"model_type" is "deit", wants "vit"/],
    ["heads that do not divide", { num_attention_heads: 3 }, published(), /"hidden_size" is 16, wants a multiple of "num_attention_heads", 3/],
    ["patches that do not divide", { image_size: 7 }, published(), /"image_size" is 7, wants a multiple of "patch_size", 2/],
    ["no ε", { layer_norm_eps: 0 }, published(), /"layer_norm_eps" is 0, wants a number > 0/],
    ["no size", { hidden_size: undefined }, published(), /"hidden_size" is undefined, wants a positive whole number/],
  ] as const)("is refused with %s", (_, change, tensors, message) => {
    expect(() => readHuggingFaceVit({ config: { ...settings, ...change }, tensors })).toThrow(message);
  });
}); // prettier-ignore
