import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { affine, attention, layerNorm, rowsOf, sumOf } from "../../test/float64-transformer.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { gpt2 } from "../models/gpt2.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { attentionOf, classTokenMaps, type LayerAttention, textMaps } from "./attention-maps.ts";

describe("the attention of a model", () => {
  let device: Device;
  beforeAll(async () => {
    device = new Device(await createWasmBackend({ threads: 1 }));
  });
  afterAll(() => device.close());

  const [length, heads, width] = [9, 2, 8];
  const ids = Int32Array.from({ length }, (_, i) => (i * 5) % 11);
  const sizes = { vocabulary: 11, context: 12, layers: 2, width, heads, init: "fan-in" } as const;

  function seeing(precision: unknown) {
    const model = gpt2(device, sizes, 3);
    const policy = parsePolicy(precision);
    const seen = attentionOf(device, { policy, seed: 1 }, (pass) =>
      model.logits(device.tensor(ids, [length]), 1, pass),
    );
    return { model, seen };
  }

  /** The first block's query, key and value in float64, from the parameters. */
  async function firstBlock(model: ReturnType<typeof gpt2>): Promise<number[][]> {
    const values = new Map<string, number[]>();
    for (const { name, tensor } of model.parameters) values.set(name, Array.from(await readTensor(tensor)));
    const of = (name: string): number[] => values.get(name) ?? [];
    const token = rowsOf(of("wte.weight"), width);
    const place = rowsOf(of("wpe.weight"), width);
    const x = sumOf(
      Array.from(ids, (id) => token[id]),
      place.slice(0, length),
    );
    const normal = layerNorm(x, of("h.0.ln_1.weight"), of("h.0.ln_1.bias"), 1e-5);
    return affine(normal, rowsOf(of("h.0.attn.c_attn.weight"), width), of("h.0.attn.c_attn.bias"));
  }

  it("is what its parameters say, layer by layer, and changes nothing of its logits", async () => {
    const { model, seen } = seeing("fp32");
    const { layers, logits } = await seen;
    expect(layers.map(({ layer, format }) => [layer, format])).toEqual([
      ["h.0.attn", "fp32"],
      ["h.1.attn", "fp32"],
    ]);
    const qkv = await firstBlock(model);
    for (let key = 0; key < length; key++) {
      // With one value 1 and the others 0, what attention gives is the probability of that token.
      const marked = qkv.map((row, t) => [...row.slice(0, 2 * width), ...row.slice(2 * width).fill(t === key ? 1 : 0)]);
      for (const [query, row] of attention(marked, heads, (t) => t + 1).entries())
        for (let head = 0; head < heads; head++) {
          const p = layers[0].softmax[(head * length + query) * length + key];
          expect(Math.abs(p - row[(head * width) / heads])).toBeLessThan(1e-6);
        }
    }
    const plain = await device.step(() =>
      device.tape.without(async () => {
        const pass = { policy: parsePolicy("fp32"), training: false, dropout: 0, key: () => [0, 0] as const };
        return Array.from(await readTensor(model.logits(device.tensor(ids, [length]), 1, pass)));
      }),
    );
    expect(Array.from(logits, Math.fround)).toEqual(plain.map(Math.fround));
  }); // prettier-ignore

  it("is as the policy of the layer rounds it", async () => {
    const { seen } = seeing({ layers: { "h.1.*": { activation: "mxfp4-e2m1" } } });
    const [whole, rounded] = (await seen).layers;
    expect([whole.format, rounded.format]).toEqual(["fp32", "mxfp4-e2m1"]);
    expect(whole.read).toBe(whole.softmax);
    expect(new Set(Array.from(rounded.read)).size).toBeLessThan(new Set(Array.from(rounded.softmax)).size);
  });
});

const layer = (read: readonly number[], softmax: readonly number[] = read): LayerAttention => {
  const length = 3;
  return { layer: "h.0.attn", format: "fp32", heads: read.length / length ** 2, length, softmax, read };
};
const bytes = (shares: string): number[] => [...Buffer.from(shares, "base64")];

describe("maps of a text", () => {
  const causal = [1, 0, 0, 0.25, 0.75, 0, 0.5, 0.25, 0.25];

  it("keep each probability as a byte of the greatest", () => {
    const [map, other] = textMaps(layer([...causal, ...causal.map((p) => p / 2)]));
    expect(map.top).toBe(1);
    expect(bytes(map.shares)).toEqual([255, 0, 0, 64, 191, 0, 128, 64, 64]);
    expect([other.top, other.shares]).toEqual([0.5, map.shares]);
  });

  it("have figures, of the second token on where the first has no choice", () => {
    const [map] = textMaps(layer(causal));
    expect(map.self).toBeCloseTo((0.75 + 0.25) / 2);
    expect(map.previous).toBeCloseTo((0.25 + 0.25) / 2);
    expect(map.first).toBeCloseTo((0.25 + 0.5) / 2);
    expect(map.entropy).toBeCloseTo((0 + (0.5 + 0.75 * Math.log2(4 / 3)) + 1.5) / 3);
    expect(map.flushed).toBe(0);
  });

  it("tell what a format rounded to zero, and measure rounded rows in proportion", () => {
    const rounded = [1, 0, 0, 0, 0.75, 0, 0.5, 0.5, 0];
    const [map] = textMaps(layer(rounded, causal));
    expect(map.flushed).toBeCloseTo(2 / 6);
    expect(map.entropy).toBeCloseTo(1 / 3);
    const [none] = textMaps(layer(rounded.map(() => 0)));
    expect([none.top, none.entropy, none.flushed]).toEqual([0, 0, 0]);
  });
});

it("maps of an image are what the first token sees of the others", () => {
  const [map] = classTokenMaps(layer([0.5, 0.125, 0.375, 1, 0, 0, 1, 0, 0]));
  expect(bytes(map.shares)).toEqual([85, 255]);
  expect([map.top, map.self]).toEqual([0.375, 0.5]);
  expect(map.entropy).toBeCloseTo(0.5 + 0.375 + 0.375 * Math.log2(8 / 3));
});
