import { afterEach, describe, expect, it } from "vitest";
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
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { evaluationPass, type Pass, trainingPass } from "../nn/pass.ts";
import { crossEntropy } from "../ops/cross-entropy.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import type { Parameter } from "../tensor/parameter.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { bert, bertClassifier, encoder } from "./bert.ts";
import { encoderPresets } from "./encoder-presets.ts";
import { type EncoderConfig, type EncoderHead, encoderParameterCount, type Sequences } from "./encoder.ts";

const devices: Device[] = [];
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
});
const keep = (device: Device): Device => {
  devices.push(device);
  return device;
};
const float64 = (): Device => keep(new Device(createReferenceBackend({ precision: "float64" })));

const config: EncoderConfig = {
  vocabulary: 11,
  context: 6,
  layers: 2,
  width: 16,
  heads: 4,
  hidden: 12,
  init: "bert",
};
const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 0, 0];
const kinds = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0];
const lengths = [6, 4];
const places = [1, 4, 8];
const full = evaluationPass(parsePolicy("fp32"), 1);

const integers = (device: Device, values: readonly number[]): Tensor =>
  device.tensor(Int32Array.from(values), [values.length]);
const padded = (device: Device): Sequences => ({
  ids: integers(device, ids),
  batch: 2,
  types: integers(device, kinds),
  lengths,
});

/** Initial values are too small to tell layers apart. */
async function enlarge(parameters: readonly Parameter[]): Promise<Map<string, number[]>> {
  const weights = new Map<string, number[]>();
  for (const { name, kind, tensor } of parameters) {
    const values = random(name, sizeOf(tensor.shape)).map((x) => Math.fround(0.3 * x + (kind === "norm" ? 1 : 0)));
    tensor.device.backend.write(tensor.storage.slice(), values);
    weights.set(name, [...values]);
  }
  return weights;
} // prettier-ignore

/** The states of one sequence in float64, from the formulas. */
function expectedStates(
  weights: ReadonlyMap<string, number[]>,
  symbols: readonly number[],
  types: readonly number[],
) {
  const { width, layers, heads } = config;
  const of = (name: string): number[] => weights.get(name) ?? [];
  const dense = (x: Rows, name: string): number[][] =>
    affine(x, rowsOf(of(`${name}.weight`), x[0].length), of(`${name}.bias`));
  const norm = (x: Rows, name: string): number[][] =>
    layerNorm(x, of(`${name}.weight`), of(`${name}.bias`), 1e-12);
  const table = (name: string) => rowsOf(of(`embeddings.${name}_embeddings.weight`), width);
  const [symbolRows, placeRows, typeRows] = ["word", "position", "token_type"].map(table);
  const sums = symbols.map((id, t) =>
    symbolRows[id].map((value, c) => value + placeRows[t][c] + typeRows[types[t]][c]),
  );
  let x = norm(sums, "embeddings.LayerNorm");
  for (let i = 0; i < layers; i++) {
    const block = `encoder.layer.${i}`;
    const heard = attention(dense(x, `${block}.attention.self.in_proj`), heads);
    x = norm(
      sumOf(x, dense(heard, `${block}.attention.output.dense`)),
      `${block}.attention.output.LayerNorm`,
    );
    const wide = dense(x, `${block}.intermediate.dense`).map((row) => row.map(exactGelu));
    x = norm(sumOf(x, dense(wide, `${block}.output.dense`)), `${block}.output.LayerNorm`);
  }
  return { x, dense, norm, symbolRows };
}

function expectedMasked(weights: ReadonlyMap<string, number[]>): number[][] {
  const [a, b] = [0, 1].map((i) =>
    expectedStates(weights, ids.slice(6 * i, 6 * i + lengths[i]), kinds.slice(6 * i, 6 * i + lengths[i])),
  );
  const asked = places.map((place) => (place < 6 ? a.x[place] : b.x[place - 6]));
  const head = "cls.predictions.transform";
  const wide = a.dense(asked, `${head}.dense`).map((row) => row.map(exactGelu));
  const bias = weights.get("cls.predictions.bias") ?? [];
  return affine(a.norm(wide, `${head}.LayerNorm`), a.symbolRows, bias);
}

function expectedClasses(weights: ReadonlyMap<string, number[]>): number[][] {
  return [0, 1].flatMap((i) => {
    const [from, to] = [6 * i, 6 * i + lengths[i]];
    const { x, dense } = expectedStates(weights, ids.slice(from, to), kinds.slice(from, to));
    const pooled = dense([x[0]], "pooler.dense").map((row) => row.map(Math.tanh));
    return dense(pooled, "classifier");
  });
}

describe.each([
  ["the reference in float64", float64, 1e-9],
  ["WebAssembly", async () => keep(new Device(await createWasmBackend({ threads: 1 }))), 1e-4],
] as const)("bert on %s", (_, open, tolerance) => {
  it("tells hidden symbols as its formulas do, padded or not, blocks recomputed or not", async () => {
    const device = await open();
    for (const recompute of [false, true]) {
      const model = bert(device, { ...config, recompute }, 5);
      const weights = await enlarge(model.parameters);
      const found = await device.step(async () =>
        readTensor(model.logits(padded(device), integers(device, places), full)),
      );
      expect(largestDifference(rowsOf(found, 11), expectedMasked(weights))).toBeLessThan(tolerance);
    }
  });

  it("tells classes as its formulas do", async () => {
    const device = await open();
    const model = bertClassifier(device, config, 3, 5);
    const weights = await enlarge(model.parameters);
    const found = await device.step(async () => readTensor(model.logits(padded(device), full)));
    expect(largestDifference(rowsOf(found, 3), expectedClasses(weights))).toBeLessThan(tolerance);
  });
});

describe("gradients of bert with dropout are true, along a random direction of each parameter", () => {
  async function check(
    device: Device,
    parameters: readonly Parameter[],
    loss: (pass: Pass) => Tensor,
  ): Promise<void> {
    await enlarge(parameters);
    const pass = trainingPass(parsePolicy("fp32"), 0.2, 1, 1);
    const found = await device.step(async () => {
      const gradients = backward(loss(pass));
      return Promise.all(parameters.map(({ tensor }) => readTensor(gradients.get(tensor) ?? tensor)));
    });
    for (const [which, { name, tensor }] of parameters.entries()) {
      const direction = random(`direction ${name}`, sizeOf(tensor.shape));
      const weights = Float64Array.from(await readTensor(tensor));
      const along = async (by: number): Promise<number> => {
        const moved = weights.map((weight, i) => weight + by * direction[i]);
        device.backend.write(tensor.storage.slice(), moved);
        return device.step(async () => item(loss(pass)));
      };
      const h = 1e-5;
      const numerical = ((await along(h)) - (await along(-h))) / (2 * h);
      await along(0);
      const exact = direction.reduce((sum, d, i) => sum + d * found[which][i], 0);
      expect(Math.abs(exact - numerical), name).toBeLessThan(1e-6 * (1 + Math.abs(numerical)));
    }
  }

  it("of hidden symbols", async () => {
    const device = float64();
    const model = bert(device, config, 5);
    await check(device, model.parameters, (pass) =>
      crossEntropy(
        model.logits(padded(device), integers(device, places), pass),
        integers(device, [2, 0, 10]),
      ),
    );
  });

  it("of classes", async () => {
    const device = float64();
    const model = bertClassifier(device, config, 3, 5);
    await check(device, model.parameters, (pass) =>
      crossEntropy(model.logits(padded(device), pass), integers(device, [2, 0])),
    );
  });
});

describe("sizes of bert", () => {
  const published = (preset: string, head: EncoderHead): number =>
    encoderParameterCount(encoder, { ...encoderPresets[preset], vocabulary: 30_522 }, head);

  it.each([
    ["bert-base", "pooler", 109_482_240],
    ["bert-base", "masked", 109_514_298],
    ["bert-base", { classes: 2 }, 109_483_778],
    ["bert-large", "pooler", 335_141_888],
    ["bert-tiny", "pooler", 4_385_920],
  ] as const)("%s with %j has its published number of parameters", (preset, head, count) => {
    expect(published(preset, head)).toBe(count);
  });

  it("starts a parameter alike whatever the head", async () => {
    const device = float64();
    const [a, b] = [bert(device, config, 5), bertClassifier(device, config, 3, 5)];
    const name = "encoder.layer.1.output.dense.weight";
    const [one, other] = [a, b].map(({ parameters }) => parameters.find((p) => p.name === name));
    if (!one || !other) throw new Error(name);
    const values = await readTensor(one.tensor);
    expect(await readTensor(other.tensor)).toEqual(values);
    expect(Math.max(...Array.from(values, Math.abs))).toBeLessThan(0.1);
  });

  it("refuses sizes that do not fit", () => {
    expect(() => encoder.layers({ ...config, heads: 3 }, "pooler")).toThrow(
      /bert's width 16 does not divide/,
    );
    expect(() => bertClassifier(float64(), config, 1, 5)).toThrow(/bert with 1 classes, wants at least 2/);
  });
});
