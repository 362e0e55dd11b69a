import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { FLOAT32, item, readTensor, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { add } from "./add.ts";
import { causalAttention } from "./attention.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { dropout } from "./dropout.ts";
import { embedding } from "./embedding.ts";
import { fusedCausalAttention, fusedCrossAttention } from "./fused-attention.ts";
import { gelu } from "./gelu.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { mean } from "./mean.ts";
import { relu } from "./relu.ts";
import { reshape } from "./reshape.ts";
import { softmax } from "./softmax.ts";

const full = { policy: parsePolicy("fp32"), key: () => [1, 2] as const };
const drop = [7, 9] as const;

/** Shapes of the tracked inputs, and the operation on them; its output is weighed by fixed random numbers. */
interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly run: (inputs: readonly Tensor[], device: Device) => Tensor;
}

const cases: readonly Case[] = [
  { name: "add", shapes: [[3, 5], [3, 5]], run: ([a, b]) => add(a, b) },
  { name: "add of a tensor to itself", shapes: [[3, 5]], run: ([a]) => add(a, a) },
  { name: "gelu", shapes: [[4, 7]], run: ([x]) => gelu(x) },
  { name: "relu", shapes: [[4, 7]], run: ([x]) => relu(x) },
  { name: "mean", shapes: [[4, 7]], run: ([x]) => mean(x) },
  { name: "dropout", shapes: [[6, 7]], run: ([x]) => dropout(x, 0.4, drop) },
  { name: "softmax", shapes: [[4, 9]], run: ([x]) => softmax(x) },
  { name: "reshape between gelus", shapes: [[4, 6]], run: ([x]) => gelu(reshape(gelu(x), [3, 8])) },
  { name: "layerNorm", shapes: [[5, 8], [8], [8]], run: ([x, g, b]) => layerNorm(x, g, b) },
  { name: "linear", shapes: [[4, 6], [5, 6], [5]], run: ([x, w, b]) => linear(x, w, b, full) },
  { name: "linear without bias", shapes: [[4, 6], [5, 6]], run: ([x, w]) => linear(x, w, null, full) },
  { name: "causalAttention", shapes: [[10, 12]], run: ([x]) => causalAttention(x, 2, 2) },
  { name: "fusedCausalAttention", shapes: [[10, 12]], run: ([x]) => fusedCausalAttention(x, 2, 2) },
  {
    name: "fusedCausalAttention with dropout",
    shapes: [[10, 12]],
    run: ([x]) => fusedCausalAttention(x, 2, 2, { dropout: 0.3, key: drop }),
  },
  { name: "fusedCrossAttention", shapes: [[6, 8], [10, 16]], run: ([q, kv]) => fusedCrossAttention(q, kv, 2, 2) },
  {
    name: "embedding with repeated indices",
    shapes: [[6, 4]],
    run: ([w], device) => embedding(w, device.tensor(Int32Array.of(1, 5, 1, 0, 1), [5])),
  },
  {
    name: "crossEntropy",
    shapes: [[5, 9]],
    run: ([x], device) => crossEntropy(x, device.tensor(Int32Array.of(0, 8, 3, 3, 1), [5])),
  },
  {
    name: "one tensor used by several operations",
    shapes: [[4, 4], [4, 4]],
    run: ([x, w]) => add(linear(gelu(x), w, null, full), add(x, linear(x, w, null, full))),
  },
]; // prettier-ignore

const random = (name: string, size: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => normal(streamKey(5, name, 0, "test"), i));

/** Σ weight · y as a tensor with a gradient, through a product with a fixed column. */
function weighed(y: Tensor): Tensor {
  const size = sizeOf(y.shape);
  const row = reshape(y, [1, size]);
  const weights = y.device.tensor(random("weights", size), [1, size]);
  return linear(row, weights, null, full);
}

describe("vector-Jacobian products equal central differences in float64", () => {
  it.each(cases)("$name", async ({ name, shapes, run }) => {
    const device = new Device(createReferenceBackend());
    const data = shapes.map((shape, i) => random(`${name} ${i}`, sizeOf(shape)));
    const evaluate = (values: readonly Float64Array[]) =>
      device.step(async () => {
        const inputs = values.map((x, i) => device.tensor(x, shapes[i]));
        return item(weighed(run(inputs, device)));
      });
    const gradients = await device.step(async () => {
      const inputs = data.map((x, i) => ({ ...device.tensor(x, shapes[i], FLOAT32), tracked: true }));
      const found = backward(weighed(run(inputs, device)));
      return Promise.all(inputs.map(async (x) => readTensor(found.get(x) ?? x)));
    });
    const h = 1e-5;
    for (const [which, values] of data.entries()) {
      for (let i = 0; i < values.length; i++) {
        const shifted = (by: number) => {
          const copy = data.map((x) => x.slice());
          copy[which][i] += by;
          return evaluate(copy);
        };
        const numerical = ((await shifted(h)) - (await shifted(-h))) / (2 * h);
        expect(Math.abs(gradients[which][i] - numerical)).toBeLessThan(1e-7 * (1 + Math.abs(numerical)));
      }
    }
    expect(device.backend.memory.bytes).toBe(0);
  });
});

describe("coded operands", () => {
  it("gives the products of the decoded values, forward and backward", async () => {
    const device = new Device(createReferenceBackend());
    const coded = { ...full, policy: parsePolicy("lns-madam-8") };
    const x = random("x", 24);
    const w = random("w", 30);
    const [exact, rounded] = await device.step(async () => {
      const run = (precision: typeof full) =>
        linear(device.tensor(x, [4, 6]), device.tensor(w, [5, 6]), null, precision);
      return [await readTensor(run(full)), await readTensor(run(coded))];
    });
    // Nearest rounding to lns8-g8 and lns8-g16 is within 4.43 % and 2.19 % of each factor.
    for (let i = 0; i < 20; i++) {
      let magnitude = 0;
      for (let k = 0; k < 6; k++) magnitude += Math.abs(x[Math.floor(i / 5) * 6 + k] * w[(i % 5) * 6 + k]);
      expect(Math.abs(exact[i] - rounded[i])).toBeLessThan(0.09 * magnitude);
    }
    expect([...rounded]).not.toEqual([...exact]);
  });
});
