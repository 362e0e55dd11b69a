import { afterAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { last } from "../nn/layers.ts";
import { Device } from "../tensor/device.ts";
import { recomputed } from "../tensor/recompute.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { add } from "./add.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { dropout } from "./dropout.ts";
import { exactGelu } from "./exact-gelu.ts";
import { gelu } from "./gelu.ts";
import { linear } from "./linear.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { relu } from "./relu.ts";
import { reshape } from "./reshape.ts";
import { scaled } from "./scaled.ts";

const device = new Device(await createWasmBackend({ threads: 1 }));
afterAll(() => device.close());

const ROWS = 12;
const CLASSES = 16;
const leaf = (seed: number): Tensor => ({
  ...device.tensor(
    Float32Array.from({ length: ROWS * CLASSES }, (_, i) => Math.sin(i * seed) * 2),
    [ROWS, CLASSES],
  ),
  tracked: true,
});
const [a, b] = [leaf(1.3), leaf(0.7)];
const targets = device.tensor(
  Int32Array.from({ length: ROWS }, (_, i) => (i * 5) % CLASSES),
  [ROWS],
);

/** Two graphs in which a gradient, or an activation, is read by more than one. */
const graphs: Readonly<Record<string, () => Tensor>> = {
  "both sides of an addition": () => crossEntropy(add(gelu(a), gelu(b)), targets),
  "an addition to the very logits": () => crossEntropy(add(a, b), targets),
  "one tensor through two functions": () => {
    const x = add(a, b);
    return crossEntropy(add(gelu(x), dropout(x, 0.5, [1, 2])), targets);
  },
  "logits that another loss reads": () => {
    const logits = scaled(add(a, b), 0.5);
    return add(crossEntropy(logits, targets), scaled(crossEntropy(gelu(logits), targets), 3));
  },
  "a view of the logits": () => {
    const logits = gelu(add(a, b));
    return crossEntropy(reshape(logits, [ROWS, CLASSES]), targets);
  },
  "what is computed again": () => {
    const x = add(a, b);
    return crossEntropy(
      add(
        x,
        recomputed(x, [b], (input) => gelu(add(gelu(input), b))),
      ),
      targets,
    );
  },
  "a parameter as logits": () => crossEntropy(a, targets),
};

const lossOf = (graph: () => Tensor): Promise<number> =>
  device.step(() => device.tape.without(() => item(graph())));

describe("gradients written over what they come from", () => {
  it.each(Object.keys(graphs))("are those of %s", async (name) => {
    const graph = graphs[name];
    const before = await Promise.all([readTensor(a), readTensor(b)]);
    const gradients = await device.step(async () => {
      const found = backward(graph());
      return Promise.all([a, b].map(async (x) => readTensor(found.get(x) ?? scaled(x, 0))));
    });
    expect(await Promise.all([readTensor(a), readTensor(b)])).toEqual(before);
    for (const [which, x] of [a, b].entries()) {
      for (const at of [0, 17, 100, ROWS * CLASSES - 1]) {
        const slice = { ...x.storage.slice(4 * at) };
        const step = 2 ** -6;
        const shifted = async (by: number): Promise<number> => {
          device.backend.write(slice, Float32Array.of(before[which][at] + by));
          const loss = await lossOf(graph);
          device.backend.write(slice, Float32Array.of(before[which][at]));
          return loss;
        };
        const slope = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
        expect(Math.abs(Number(gradients[which][at]) - slope)).toBeLessThan(2e-4);
      }
    }
  });

  it.each(["fp32", "lns-madam-8"])("and results over inputs that nothing else reads: %s", async (name) => {
    const precision = { policy: parsePolicy(name), key: () => [3, 4] as const };
    const operations = {
      gelu: (x: Tensor) => gelu(x, precision),
      exactGelu: (x: Tensor) => exactGelu(x, precision),
      relu: (x: Tensor) => relu(x, precision),
      dropout: (x: Tensor) => dropout(x, 0.5, [1, 2]),
    };
    for (const operation of Object.values(operations)) {
      const [plain, over] = await Promise.all([false, true].map(async (gives) => {
        const own = new Device(createReferenceBackend({ precision: "float32" }));
        const x = { ...own.tensor(new Float32Array(a.shape[0] * CLASSES).map((_, i) => Math.sin(i)), a.shape), tracked: true };
        const found = await own.step(async () => {
          const sum = add(x, x);
          const before = own.stepBytes;
          const y = gives ? last(sum, operation) : operation(sum);
          const taken = own.stepBytes - before;
          const gradients = backward(crossEntropy(y, own.tensor(await readTensor(targets), [ROWS])));
          const gradient = gradients.get(x);
          return { taken, values: gradient ? [...(await readTensor(gradient))] : [] };
        });
        await own.close();
        return found;
      }));
      expect(over.values).toEqual(plain.values);
      expect(over.values.length).toBe(ROWS * CLASSES);
      expect(over.taken).toBeLessThanOrEqual(plain.taken);
    }
  }); // prettier-ignore

  it("but not results over what a gradient is taken at", async () => {
    const [x, y] = await device.step(() => {
      const input = add(a, b);
      const result = last(input, (given) => gelu(given));
      return Promise.all([readTensor(input), readTensor(result)]);
    });
    expect([...x]).not.toEqual([...y]);
    const sums = (await readTensor(a)).map(Number);
    const others = await readTensor(b);
    expect(x.every((value, i) => Math.abs(value - sums[i] - Number(others[i])) < 1e-6)).toBe(true);
  });

  it("spare the logits a second copy", async () => {
    const policy = parsePolicy("fp32");
    const wide = 4096;
    const w = {
      ...device.tensor(new Float32Array(wide * CLASSES).fill(0.1), [wide, CLASSES]),
      tracked: true,
    };
    const { memory } = device.backend;
    const before = memory.bytes;
    const most = await device.step(async () => {
      const logits = linear(a, w, null, { policy, key: () => [0, 0] });
      const loss = crossEntropy(logits, targets);
      backward(loss);
      return memory.peakBytes - before;
    });
    // Logits and the gradient of w, not the gradient of the logits beside them.
    expect(most).toBeLessThan(4 * wide * (ROWS + CLASSES) * 1.3);
  });
});
