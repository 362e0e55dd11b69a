import { afterEach, describe, expect, it } from "vitest";
import {
  affine,
  causalAttention,
  layerNorm,
  type Rows,
  rowsOf,
  sumOf,
} from "../../test/float64-transformer.ts";
import { random } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { evaluationPass, trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, sizeOf } from "../tensor/tensor.ts";
import { languageParameterCount, type LanguageModelConfig } from "./model.ts";
import { model as definition, sinusoidalPositions, transformerLm } from "./transformer-lm.ts";

const devices: Device[] = [];
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
});
const keep = (device: Device): Device => {
  devices.push(device);
  return device;
};

const config: LanguageModelConfig = {
  vocabulary: 11,
  context: 6,
  layers: 2,
  width: 16,
  heads: 4,
  hidden: 12,
  init: "pytorch",
};
const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];

async function logitsOf(device: Device, symbols: readonly number[], batch: number, recompute = false): Promise<number[][]> {
  const made = transformerLm(device, { ...config, recompute }, 5);
  const values = await device.step(async () =>
    readTensor(
      made.logits(device.tensor(Int32Array.from(symbols), [symbols.length]), batch, evaluationPass(parsePolicy("fp32"), 1)),
    ),
  );
  return rowsOf(values, config.vocabulary);
} // prettier-ignore

/** The model in float64, from its weights. */
async function expectedLogits(device: Device, sequences: readonly (readonly number[])[]): Promise<number[][]> {
  const weights = new Map<string, ArrayLike<number>>();
  for (const { name, tensor } of transformerLm(device, config, 5).parameters)
    weights.set(name, await readTensor(tensor));
  const of = (name: string): ArrayLike<number> => weights.get(name) ?? [];
  const { width, layers, heads } = config;
  const linear = (x: Rows, name: string, weight = `${name}.weight`, bias = `${name}.bias`): number[][] =>
    affine(x, rowsOf(of(weight), x[0].length), of(bias));
  const norm = (x: Rows, name: string): number[][] => layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-5);
  const table = rowsOf(of("encoder.weight"), width);
  return sequences.flatMap((sequence) => {
    let x = sequence.map((symbol, t) =>
      table[symbol].map((value, c) => {
        const angle = t / 10_000 ** ((2 * Math.floor(c / 2)) / width);
        // The table of positions is in float32, as weights are.
        return value * Math.sqrt(width) + Math.fround(c % 2 === 0 ? Math.sin(angle) : Math.cos(angle));
      }),
    );
    for (let i = 0; i < layers; i++) {
      const block = `transformer_encoder.layers.${i}`;
      const attention = `${block}.self_attn`;
      const qkv = linear(x, attention, `${attention}.in_proj_weight`, `${attention}.in_proj_bias`);
      x = norm(sumOf(x, linear(causalAttention(qkv, heads), `${attention}.out_proj`)), `${block}.norm1`);
      const wide = linear(x, `${block}.linear1`).map((row) => row.map((value) => Math.max(0, value)));
      x = norm(sumOf(x, linear(wide, `${block}.linear2`)), `${block}.norm2`);
    }
    return linear(x, "decoder");
  });
} // prettier-ignore

const largestDifference = (a: Rows, b: Rows): number =>
  Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i][j]))));

describe("transformer-lm", () => {
  it("has the parameters of the Madam paper's model on WikiText-2", () => {
    const paper = { vocabulary: 33_278, context: 35, layers: 2, width: 200, heads: 2, init: "pytorch" } as const;
    // 33278·200 + 2·(600·200 + 600 + 3·(200·200 + 200) + 4·200) + 33278·200 + 33278
    expect(languageParameterCount(definition, paper)).toBe(13_828_478);
  });

  it("is the network of its formulas in float64, sequence by sequence", async () => {
    const device = keep(new Device(createReferenceBackend({ precision: "float64" })));
    const expected = await expectedLogits(device, [ids.slice(0, 6), ids.slice(6)]);
    expect(largestDifference(await logitsOf(device, ids, 2), expected)).toBeLessThan(1e-10);
  });

  it("computes the same in WebAssembly, blocks recomputed or not", async () => {
    const device = keep(new Device(await createWasmBackend({ threads: 1 })));
    const expected = await expectedLogits(device, [ids.slice(0, 6), ids.slice(6)]);
    const [plain, again] = [await logitsOf(device, ids, 2), await logitsOf(device, ids, 2, true)];
    expect(largestDifference(plain, expected)).toBeLessThan(2e-6);
    expect(again).toEqual(plain);
  });

  it("has PyTorch's initial values", async () => {
    const device = keep(new Device(createReferenceBackend({ precision: "float32" })));
    const wide = { ...config, width: 32, hidden: 16 };
    const { parameters } = transformerLm(device, wide, 5);
    const extent = async (name: string): Promise<number> => {
      const found = parameters.find((parameter) => parameter.name === name);
      if (!found) throw new Error(name);
      return Math.max(...Array.from(await readTensor(found.tensor), Math.abs));
    };
    const layer = "transformer_encoder.layers.0";
    const bounds = {
      "encoder.weight": 0.1,
      "decoder.weight": 0.1,
      [`${layer}.self_attn.in_proj_weight`]: Math.sqrt(6 / 128),
      [`${layer}.self_attn.out_proj.weight`]: 32 ** -0.5,
      [`${layer}.linear1.weight`]: 32 ** -0.5,
      [`${layer}.linear2.weight`]: 16 ** -0.5,
    };
    for (const [name, bound] of Object.entries(bounds)) {
      expect(await extent(name), name).toBeLessThanOrEqual(bound);
      expect(await extent(name), name).toBeGreaterThan(0.9 * bound);
    }
    for (const name of ["decoder.bias", `${layer}.self_attn.in_proj_bias`, `${layer}.self_attn.out_proj.bias`])
      expect(await extent(name), name).toBe(0);
    expect(await extent(`${layer}.linear1.bias`)).toBeGreaterThan(0);
  });

  it("knows places by sine and cosine", () => {
    const [first, second] = rowsOf(sinusoidalPositions(2, 4), 4);
    expect(first).toEqual([0, 1, 0, 1]);
    [Math.sin(1), Math.cos(1), Math.sin(0.01), Math.cos(0.01)].forEach((value, i) =>
      expect(second[i]).toBeCloseTo(value, 6),
    );
  });

  it("has the gradient of its loss with dropout, along a random direction of each parameter", async () => {
    const device = keep(new Device(createReferenceBackend({ precision: "float64" })));
    const made = transformerLm(device, config, 5);
    const loss = () => {
      const tokens = device.tensor(Int32Array.from(ids), [12]);
      const targets = device.tensor(Int32Array.from(ids, (symbol) => (symbol * 3) % 11), [12]);
      return crossEntropy(made.logits(tokens, 2, trainingPass(parsePolicy("fp32"), 0.2, 1, 1)), targets);
    };
    const found = await device.step(async () => {
      const gradients = backward(loss());
      return Promise.all(made.parameters.map(({ tensor }) => readTensor(gradients.get(tensor) ?? tensor)));
    });
    for (const [which, { name, tensor }] of made.parameters.entries()) {
      const direction = random(name, sizeOf(tensor.shape));
      const weights = Float64Array.from(await readTensor(tensor));
      const along = async (by: number): Promise<number> => {
        device.backend.write(tensor.storage.slice(), weights.map((weight, i) => weight + by * direction[i]));
        return device.step(async () => item(loss()));
      };
      const h = 1e-6;
      const numerical = ((await along(h)) - (await along(-h))) / (2 * h);
      await along(0);
      const exact = direction.reduce((sum, d, i) => sum + d * found[which][i], 0);
      expect(Math.abs(exact - numerical), name).toBeLessThan(1e-6 * (1 + Math.abs(numerical)));
    }
  });

  it("refuses sizes that do not fit", () => {
    const layers = (change: Partial<LanguageModelConfig>) => () => definition.layers({ ...config, ...change });
    expect(layers({ heads: 3 })).toThrow(/transformer-lm's width 16 does not divide by its 3 heads/);
    expect(layers({ hidden: 0 })).toThrow(/transformer-lm's hidden is 0, wants a positive integer/);
    expect(layers({ init: "gpt2" })).toThrow(/init is "gpt2", wants pytorch/);
  });
}); // prettier-ignore
