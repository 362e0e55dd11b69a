import { describe, expect, it } from "vitest";
import {
  affine,
  causalAttention,
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
import { gpt2, model as definition } from "./gpt2.ts";
import { readHuggingFaceGpt2, writeHuggingFaceGpt2 } from "./huggingface-gpt2.ts";
import { languagePresets } from "./language-presets.ts";
import { languageParameterCount } from "./model.ts";

const width = 16;
const settings = {
  model_type: "gpt2",
  vocab_size: 13,
  n_positions: 7,
  n_embd: width,
  n_layer: 2,
  n_head: 4,
  n_inner: 24,
  activation_function: "gelu_new",
  layer_norm_epsilon: 1e-5,
};

/** Tensors as published: Conv1D weights are [in, out]. */
const shapes: Record<string, number[]> = {
  "wte.weight": [13, width],
  "wpe.weight": [7, width],
  "ln_f.weight": [width],
  "ln_f.bias": [width],
};
for (const i of [0, 1])
  Object.assign(
    shapes,
    Object.fromEntries(
      Object.entries({
        "ln_1.weight": [width],
        "ln_1.bias": [width],
        "attn.c_attn.weight": [width, 3 * width],
        "attn.c_attn.bias": [3 * width],
        "attn.c_proj.weight": [width, width],
        "attn.c_proj.bias": [width],
        "ln_2.weight": [width],
        "ln_2.bias": [width],
        "mlp.c_fc.weight": [width, 24],
        "mlp.c_fc.bias": [24],
        "mlp.c_proj.weight": [24, width],
        "mlp.c_proj.bias": [width],
      }).map(([name, shape]) => [`h.${i}.${name}`, shape]),
    ),
  );

const valuesOf = (name: string): Float32Array =>
  Float32Array.from(
    random(
      name,
      shapes[name].reduce((a, b) => a * b, 1),
    ),
    (x) => 0.4 * x + (/ln_.*weight/.test(name) ? 1 : 0),
  );

function published(prefix = "", type: "f32" | "f16" = "f32"): Map<string, SafetensorsTensor> {
  const dtype = type === "f32" ? "F32" : "F16";
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      `${prefix}${name}`,
      { dtype, shape, bytes: floatBytes(valuesOf(name), type) },
    ]),
  );
}

const ids = [3, 12, 0, 7, 7, 1];

/** GPT-2 in float64, straight from the published tensors: y = x W + b with W [in, out]. */
function expected(tensors: ReadonlyMap<string, SafetensorsTensor>): number[][] {
  const of = (name: string): ArrayLike<number> => {
    const { dtype, bytes } = tensors.get(name) ?? { dtype: "F32", bytes: new Uint8Array() };
    return floatValues(bytes, dtype === "F16" ? "f16" : "f32");
  };
  const conv = (x: Rows, name: string): number[][] => {
    const bias = of(`${name}.bias`);
    const weight = rowsOf(of(`${name}.weight`), bias.length);
    return x.map((row) =>
      Array.from(bias, (b, j) => row.reduce((sum, value, i) => sum + value * weight[i][j], b)),
    );
  };
  const norm = (x: Rows, name: string): number[][] =>
    layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-5);
  // Constants of kernels are float32.
  const [root, cubic] = [Math.sqrt(2 / Math.PI), 0.044715].map(Math.fround);
  const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(root * (x + cubic * x ** 3)));
  const [symbols, places] = [rowsOf(of("wte.weight"), width), rowsOf(of("wpe.weight"), width)];
  let x = sumOf(
    ids.map((id) => symbols[id]),
    places,
  );
  for (const i of [0, 1]) {
    const attention = causalAttention(conv(norm(x, `h.${i}.ln_1`), `h.${i}.attn.c_attn`), settings.n_head);
    x = sumOf(x, conv(attention, `h.${i}.attn.c_proj`));
    const wide = conv(norm(x, `h.${i}.ln_2`), `h.${i}.mlp.c_fc`).map((row) => row.map(gelu));
    x = sumOf(x, conv(wide, `h.${i}.mlp.c_proj`));
  }
  return affine(norm(x, "ln_f"), symbols);
}

async function ours(device: Device, tensors: ReadonlyMap<string, SafetensorsTensor>): Promise<number[][]> {
  const { config, weights } = readHuggingFaceGpt2({ config: settings, tensors });
  const made = gpt2(device, config, 1);
  for (const { name, tensor } of made.parameters)
    device.backend.write(tensor.storage.slice(), weights.get(name) ?? new Float32Array());
  const pass = evaluationPass(parsePolicy("fp32"), 1);
  const values = await device.step(async () =>
    readTensor(made.logits(device.tensor(Int32Array.from(ids), [6]), 1, pass)),
  );
  await device.close();
  return rowsOf(values, 13);
}

const largestDifference = (a: Rows, b: Rows): number =>
  Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i][j]))));

describe("a published GPT-2", () => {
  it("gives the same logits, in float64 to 1e-10", async () => {
    const logits = await ours(new Device(createReferenceBackend({ precision: "float64" })), published());
    expect(logits).toHaveLength(6);
    expect(largestDifference(logits, expected(published()))).toBeLessThan(1e-10);
  });

  it("gives the same logits in WebAssembly, from names with a prefix and halves, beside masks and a tied head", async () => {
    const tensors = published("transformer.", "f16");
    const table = tensors.get("transformer.wte.weight");
    if (table) tensors.set("lm_head.weight", table);
    tensors.set("transformer.h.0.attn.bias", { dtype: "U8", shape: [1, 1, 7, 7], bytes: new Uint8Array(49) });
    tensors.set("transformer.h.1.attn.masked_bias", { dtype: "F32", shape: [], bytes: new Uint8Array(4) });
    const logits = await ours(new Device(await createWasmBackend({ threads: 1 })), tensors);
    expect(largestDifference(logits, expected(published("", "f16")))).toBeLessThan(1e-5);
  });

  it("is written back as it was read", () => {
    const { config, tensors } = writeHuggingFaceGpt2(
      readHuggingFaceGpt2({ config: settings, tensors: published() }),
    );
    expect(config).toMatchObject(settings);
    expect(Object.fromEntries(tensors)).toEqual(Object.fromEntries(published("transformer.")));
    expect(readHuggingFaceGpt2({ config, tensors }).config.hidden).toBe(24);
  });

  const without = (name: string): Map<string, SafetensorsTensor> => {
    const tensors = published();
    tensors.delete(name);
    return tensors;
  };
  const other = (name: string, tensor: SafetensorsTensor) => published().set(name, tensor);
  const row: SafetensorsTensor = { dtype: "F32", shape: [16], bytes: new Uint8Array(64) };

  it.each([
    ["a missing tensor", {}, without("h.1.mlp.c_fc.bias"), /no tensor "h\.1\.mlp\.c_fc\.bias"/],
    ["a tensor more", {}, other("h.2.ln_1.bias", row), /"h\.2\.ln_1\.bias" that GPT-2 does not have/],
    [
      "[out, in] instead of [in, out]",
      { n_inner: 48 },
      published(),
      /"h\.0\.mlp\.c_fc\.weight" is \[16, 24\], wants \[16, 48\]/,
    ],
    ["an output of its own", {}, other("lm_head.weight", row), /"lm_head\.weight" is not "wte\.weight"/],
    ["integers", {}, other("ln_f.bias", { ...row, dtype: "I32" }), /"ln_f\.bias" is I32, wants F16/],
    [
      "another activation",
      { activation_function: "relu" },
      published(),
      /"activation_function" is "relu", wants "gelu_new" or/,
    ],
    ["another model", { model_type: "llama" }, published(), /"model_type" is "llama", wants "gpt2"/],
    ["no size", { n_layer: undefined }, published(), /"n_layer" is undefined, wants a positive whole number/],
  ] as const)("is refused with %s", (_, change, tensors, message) => {
    expect(() => readHuggingFaceGpt2({ config: { ...settings, ...change }, tensors })).toThrow(message);
  });
});

it.each([
  ["gpt2", 124_439_808],
  ["gpt2-medium", 354_823_168],
  ["gpt2-large", 774_030_080],
  ["gpt2-xl", 1_557_611_200],
] as const)("%s has its published number of parameters", (name, count) => {
  expect(languageParameterCount(definition, { ...languagePresets[name], vocabulary: 50_257 })).toBe(count);
});
