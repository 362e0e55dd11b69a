import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { expectTrueGradients, full, random, type GradientCase } from "../../test/numerical-gradient.ts";
import { add } from "./add.ts";
import { causalAttention, selfAttention } from "./attention.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { dropout } from "./dropout.ts";
import { embedding } from "./embedding.ts";
import { fusedCausalAttention, fusedCrossAttention } from "./fused-attention.ts";
import { gelu } from "./gelu.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";
import { linearCrossEntropy } from "./linear-cross-entropy.ts";
import { mean } from "./mean.ts";
import { relu } from "./relu.ts";
import { reshape } from "./reshape.ts";
import { scaled } from "./scaled.ts";
import { smoothedCrossEntropy } from "./smoothed-cross-entropy.ts";
import { softmax } from "./softmax.ts";

const drop = [7, 9] as const;

const cases: readonly GradientCase[] = [
  { name: "add", shapes: [[3, 5], [3, 5]], run: ([a, b]) => add(a, b) },
  { name: "add of a tensor to itself", shapes: [[3, 5]], run: ([a]) => add(a, a) },
  { name: "gelu", shapes: [[4, 7]], run: ([x]) => gelu(x) },
  { name: "relu", shapes: [[4, 7]], run: ([x]) => relu(x) },
  { name: "scaled", shapes: [[4, 7]], run: ([x]) => scaled(x, -1.7) },
  { name: "mean", shapes: [[4, 7]], run: ([x]) => mean(x) },
  { name: "dropout", shapes: [[6, 7]], run: ([x]) => dropout(x, 0.4, drop) },
  { name: "softmax", shapes: [[4, 9]], run: ([x]) => softmax(x) },
  { name: "reshape between gelus", shapes: [[4, 6]], run: ([x]) => gelu(reshape(gelu(x), [3, 8])) },
  { name: "layerNorm", shapes: [[5, 8], [8], [8]], run: ([x, g, b]) => layerNorm(x, g, b) },
  { name: "linear", shapes: [[4, 6], [5, 6], [5]], run: ([x, w, b]) => linear(x, w, b, full) },
  { name: "linear without bias", shapes: [[4, 6], [5, 6]], run: ([x, w]) => linear(x, w, null, full) },
  { name: "causalAttention", shapes: [[10, 12]], run: ([x]) => causalAttention(x, 2, 2) },
  { name: "fusedCausalAttention", shapes: [[10, 12]], run: ([x]) => fusedCausalAttention(x, 2, 2) },
  { name: "selfAttention to all tokens", shapes: [[10, 12]], run: ([x]) => selfAttention(x, 2, 2, false) },
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
    name: "smoothedCrossEntropy of mixed classes",
    shapes: [[5, 9]],
    run: ([x], device) => {
      const [targets, others] = [Int32Array.of(0, 8, 3, 3, 1), Int32Array.of(1, 8, 2, 0, 1)];
      const mixture = { targets: device.tensor(others, [5]), share: 0.7 };
      return smoothedCrossEntropy(x, device.tensor(targets, [5]), { smoothing: 0.1, mixture });
    },
  },
  ...[1, 2, 3, 5].map((chunk) => ({
    name: `linearCrossEntropy in chunks of ${chunk}`,
    shapes: [[5, 4], [9, 4], [9]],
    run: ([x, w, b]: readonly Tensor[], device: Device) =>
      linearCrossEntropy(x, w, b, device.tensor(Int32Array.of(0, 8, 3, 3, 1), [5]), full, { chunk }),
  })),
  {
    name: "linearCrossEntropy of softened targets, a part of a sum",
    shapes: [[5, 4], [9, 4]],
    run: ([x, w], device) => {
      const [targets, others] = [Int32Array.of(0, 8, 3, 3, 1), Int32Array.of(1, 8, 2, 0, 1)];
      const mixture = { targets: device.tensor(others, [5]), share: 0.7 };
      const softening = { smoothing: 0.1, mixture };
      const loss = linearCrossEntropy(x, w, null, device.tensor(targets, [5]), full, { softening, chunk: 2 });
      return add(scaled(loss, 0.3), mean(w));
    },
  },
  {
    name: "linearCrossEntropy of some rows, its weight the table that they come from",
    shapes: [[7, 4]],
    run: ([w], device) => {
      const text = embedding(w, device.tensor(Int32Array.of(1, 5, 1, 0, 6, 2), [6]));
      const asked = embedding(text, device.tensor(Int32Array.of(0, 2, 5), [3]));
      return linearCrossEntropy(gelu(asked), w, null, device.tensor(Int32Array.of(5, 0, 3), [3]), full, { chunk: 2 });
    },
  },
  {
    name: "one tensor used by several operations",
    shapes: [[4, 4], [4, 4]],
    run: ([x, w]) => add(linear(gelu(x), w, null, full), add(x, linear(x, w, null, full))),
  },
]; // prettier-ignore

describe("vector-Jacobian products equal central differences in float64", () => {
  it.each(cases)("$name", async (given) => {
    const device = new Device(createReferenceBackend());
    await expectTrueGradients(device, given);
    expect(device.backend.memory.bytes).toBe(0);
  });
});

describe("smoothedCrossEntropy", () => {
  it("is the cross entropy against the softened target", async () => {
    const device = new Device(createReferenceBackend());
    const x = random("x", 8);
    const targets = Int32Array.of(2, 0);
    const loss = await device.step(async () => {
      const [logits, classes] = [device.tensor(x, [2, 4]), device.tensor(targets, [2])];
      return item(smoothedCrossEntropy(logits, classes, { smoothing: 0.25 }));
    });
    let wanted = 0;
    for (let row = 0; row < 2; row++) {
      const logits = x.slice(4 * row, 4 * row + 4);
      const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
      logits.forEach((logit, j) => {
        wanted -= ((j === targets[row] ? 0.8125 : 0.0625) * (logit - logSum)) / 2;
      });
    }
    expect(loss).toBeCloseTo(wanted, 12);
  });

  it("refuses shares that are none", async () => {
    const device = new Device(createReferenceBackend());
    await device.step(() => {
      const [logits, classes] = [device.tensor(random("x", 4), [1, 4]), device.tensor(Int32Array.of(1), [1])];
      expect(() => smoothedCrossEntropy(logits, classes, { smoothing: 1 })).toThrow(/smoothing of 1/);
      const mixture = { targets: classes, share: 1.5 };
      expect(() => smoothedCrossEntropy(logits, classes, { mixture })).toThrow(/share of 1.5/);
    });
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
