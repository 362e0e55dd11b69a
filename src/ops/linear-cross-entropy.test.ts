import { afterAll, describe, expect, it } from "vitest";
import { random } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { item, readTensor, type Tensor } from "../tensor/tensor.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { judgedCrossEntropy } from "./judged-cross-entropy.ts";
import { linear } from "./linear.ts";
import { linearRows } from "./linear-chunks.ts";
import { linearCrossEntropy, type LinearCrossEntropyOptions } from "./linear-cross-entropy.ts";
import { packed } from "./pack.ts";
import { quantise } from "./quantise.ts";
import { scaled } from "./scaled.ts";
import { smoothedCrossEntropy } from "./smoothed-cross-entropy.ts";

const wasm = new Device(await createWasmBackend({ threads: 1 }));
const reference = new Device(createReferenceBackend({ precision: "float32" }));
afterAll(async () => {
  await wasm.close();
  await reference.close();
});

const [ROWS, CLASSES, WIDTH] = [600, 37, 20];
/** Rows of the first chunk are larger, and so are their errors. */
const x = Float32Array.from(random("x", ROWS * WIDTH), (value, i) => (i < 256 * WIDTH ? value : value / 20));
const w = Float32Array.from(random("w", CLASSES * WIDTH));
const b = Float32Array.from(random("b", CLASSES));
const targets = Int32Array.from({ length: ROWS }, (_, i) => (i * 17) % CLASSES);

/** A layer of some first rows, its weight as a rule stores it where the policy has codes for weights between steps. */
function layerOf(device: Device, policy: ReturnType<typeof parsePolicy>, rows: number) {
  const tracked = (data: Float32Array, shape: readonly number[]): Tensor => ({
    ...device.tensor(data, shape),
    tracked: true,
  });
  const plain = tracked(w, [CLASSES, WIDTH]);
  const nearest = policy.update && ({ ...policy.update, rounding: "nearest-even" } as const);
  const stored = nearest && quantise(plain, nearest, { channel: 0, reduction: 1 }, [0, 0]);
  return {
    x: tracked(x.subarray(0, rows * WIDTH), [rows, WIDTH]),
    w: stored ? { ...packed(stored), tracked: true } : plain,
    b: tracked(b, [CLASSES]),
    targets: device.tensor(targets.subarray(0, rows), [rows]),
  };
}

interface Found {
  readonly loss: number;
  /** dx, dw, db. */
  readonly gradients: readonly Float32Array[];
}

interface Case extends LinearCrossEntropyOptions {
  readonly rows?: number;
  readonly upstream?: number;
  readonly device?: Device;
}

/** Loss and gradients under a policy; with chunk null of the whole, from the two operations. */
function found(
  policyOf: unknown,
  chunk: number | null,
  { rows = ROWS, upstream = 1, softening = null, device = wasm }: Case = {},
): Promise<Found> {
  const policy = parsePolicy(policyOf);
  const precision = { policy, key: () => [3, 4] as const };
  return device.step(async () => {
    const layer = layerOf(device, policy, rows);
    const whole = (): Tensor => {
      const logits = linear(layer.x, layer.w, layer.b, precision);
      return softening
        ? smoothedCrossEntropy(logits, layer.targets, softening)
        : crossEntropy(logits, layer.targets);
    };
    const loss =
      chunk === null
        ? whole()
        : linearCrossEntropy(layer.x, layer.w, layer.b, layer.targets, precision, { chunk, softening });
    const end = upstream === 1 ? loss : scaled(loss, upstream);
    const gradients = backward(end);
    const all = [layer.x, layer.w, layer.b].map(async (tensor) =>
      Float32Array.from(await readTensor(gradients.get(tensor) ?? tensor)),
    );
    return { loss: await item(end), gradients: await Promise.all(all) };
  });
}

/** Largest difference of two lists in units of the second's largest magnitude. */
function apart(a: Float32Array, of: Float32Array): number {
  const size = of.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - of[i])), 0) / size;
}

/** Policies whose errors are not rounded, or in blocks: nothing of them depends on the chunk. */
const policies: Readonly<Record<string, object | string>> = {
  fp32: "fp32",
  "state8, weights as they are stored": "state8",
  "packed weights of 4 and 6 bits": { update: { format: "ulns6-g1", scale: "tensor" }, weight: "lns8-g8" },
  "activations of 8 bits": { weight: "lns8-g16", activation: "lns8-g8" },
  "activations of 16 bits": { weight: "bf16", activation: "bf16" },
  "scales of channels": {
    weight: { format: "lns8-g8", scale: "channel" },
    activation: { format: "lns8-g16", scale: "channel" },
  },
  mxfp8: "mxfp8",
  "lmd-mxfp4, forward only": "lmd-mxfp4",
  "blocks of 16 at random": {
    weight: { format: "mxfp6-e2m3", block: 16, rounding: "stochastic" },
    activation: { format: "mxfp6-e2m3", block: 16, rounding: "stochastic" },
    error: { format: "mxfp8-e4m3", block: 16 },
  },
  "blocks beside codes of another scale": { weight: "mxfp8-e4m3", activation: "lns8-g8" },
};

describe("cross entropy of a linear layer in chunks of rows", () => {
  it.each(Object.keys(policies))("of whole blocks of sums has the bits of the whole: %s", async (name) => {
    const [whole, chunked] = [await found(policies[name], null), await found(policies[name], 256)];
    expect(chunked).toEqual(whole);
  });

  it.each([1, 7, 100, 599])("of %i has the bits of the whole but for dw's order of sums", async (chunk) => {
    const [whole, chunked] = [await found("fp32", null), await found("fp32", chunk)];
    expect(chunked.loss).toBe(whole.loss);
    expect([chunked.gradients[0], chunked.gradients[2]]).toEqual([whole.gradients[0], whole.gradients[2]]);
    // A sum of n terms is off by at most n units of rounding of the sum of their magnitudes, whatever the order.
    for (const [i, value] of chunked.gradients[1].entries()) {
      let magnitude = 0;
      for (let row = 0; row < ROWS; row++) magnitude += Math.abs(x[row * WIDTH + (i % WIDTH)]) / ROWS;
      expect(Math.abs(value - whole.gradients[1][i])).toBeLessThan(2 * ROWS * 2 ** -24 * magnitude);
    }
  });

  it.each(["fp32", "mxfp8", "lns-madam-8"])(
    "is on the reference backend what it is on wasm: %s",
    async (name) => {
      const [a, other] = [
        await found(name, 32, { rows: 70 }),
        await found(name, 32, { rows: 70, device: reference }),
      ];
      expect(other.loss).toBeCloseTo(a.loss, 5);
      // A logit next to a boundary between two codes may be rounded to either.
      for (const [i, gradient] of other.gradients.entries())
        expect(apart(gradient, a.gradients[i])).toBeLessThan(name === "fp32" ? 1e-5 : 0.02);
    },
  );

  it("multiplies scales of whole tensors in chunk by chunk", async () => {
    const policy = { weight: "nvfp4", activation: "nvfp4" };
    const [whole, chunked] = [await found(policy, null), await found(policy, 256)];
    expect(chunked.loss).toBe(whole.loss);
    for (const i of [0, 1, 2]) expect(apart(chunked.gradients[i], whole.gradients[i])).toBeLessThan(1e-6);
  });

  it("gives each chunk's errors the scale that they would have alone", async () => {
    const policy = { error: "lns8-g8" };
    const rows = 512;
    const whole = await found(policy, 256, { rows });
    const alone = await found(policy, null, { rows: 256 });
    expect(whole.gradients[0].subarray(0, 256 * WIDTH)).toEqual(alone.gradients[0].map((value) => value / 2));
    // Rounded otherwise than under one scale, by no more than two roundings to eight rungs an octave differ.
    const shared = await found(policy, null, { rows });
    const exact = await found("fp32", null, { rows });
    expect(whole.gradients[0]).not.toEqual(shared.gradients[0]);
    for (const i of [0, 1, 2]) {
      expect(apart(whole.gradients[i], exact.gradients[i])).toBeLessThan(0.05);
      expect(apart(shared.gradients[i], exact.gradients[i])).toBeLessThan(0.05);
    }
  });

  it("draws other bits for each chunk's errors", async () => {
    const drawn: string[] = [];
    const error = { format: "lns8-g8", rounding: "stochastic", scale: "tensor" };
    const policy = parsePolicy({ error });
    await wasm.step(() => {
      const layer = layerOf(wasm, policy, 600);
      const key = (purpose: string) => {
        drawn.push(purpose);
        return [1, 2] as const;
      };
      linearCrossEntropy(layer.x, layer.w, layer.b, layer.targets, { policy, key }, { chunk: 256 });
    });
    expect(drawn).toEqual(["error", "error from row 256", "error from row 512"]);
  });

  it("softens targets as the whole does", async () => {
    const softening = { smoothing: 0.1 };
    expect(await found("fp32", 256, { softening })).toEqual(await found("fp32", null, { softening }));
  });

  it("multiplies by what the loss is multiplied by afterwards", async () => {
    const one = await found("fp32", 256);
    const part = await found("fp32", 256, { upstream: -0.3 });
    const times = Math.fround(-0.3);
    expect(part.gradients).toEqual(one.gradients.map((gradient) => gradient.map((value) => value * times)));
    // By a power of two, which rounds nothing, as the whole does.
    const halves = { upstream: 0.5 };
    expect(await found("fp32", 256, halves)).toEqual(await found("fp32", null, halves));
  });

  it("gives gradients to what wants them alone, and makes none where nothing is recorded", async () => {
    const precision = { policy: parsePolicy("fp32"), key: () => [3, 4] as const };
    await wasm.step(async () => {
      const layer = layerOf(wasm, precision.policy, 300);
      const frozen = { ...layer.w, tracked: false };
      const loss = linearCrossEntropy(layer.x, frozen, null, layer.targets, precision, { chunk: 256 });
      expect([...backward(loss).keys()]).toEqual([layer.x]);
    });
    await wasm.step(async () => {
      const layer = layerOf(wasm, precision.policy, 300);
      const before = wasm.stepBytes;
      const run = () =>
        linearCrossEntropy(layer.x, layer.w, layer.b, layer.targets, precision, { chunk: 256 });
      const { tracked } = await wasm.tape.without(run);
      expect([tracked, wasm.stepBytes - before]).toEqual([false, 4]);
      run();
      // A loss and three gradients.
      const kept = 4 + 4 * (300 * WIDTH + CLASSES * WIDTH + CLASSES);
      expect(wasm.stepBytes - before).toBe(4 + kept);
    });
  });

  it("refuses chunks that cut blocks, and none", async () => {
    const of = (policy: string, chunk: number) => found(policy, chunk);
    await expect(of("mxfp8", 48)).rejects.toThrow(
      /chunks of 48 rows, wants a positive integer that 32 divides/,
    );
    await expect(of("fp32", 0)).rejects.toThrow(/chunks of 0 rows, wants a positive integer/);
  });
});

describe("a judged output layer", () => {
  it.each(["fp32", "lns-madam-8"])(
    "has the loss of the whole, and the likeliest of its logits: %s",
    async (name) => {
      const precision = { policy: parsePolicy(name), key: () => [3, 4] as const };
      await wasm.step(() =>
        wasm.tape.without(async () => {
          const layer = layerOf(wasm, precision.policy, ROWS);
          const logits = linear(layer.x, layer.w, layer.b, precision);
          const values = await readTensor(logits);
          const wanted = Array.from(targets, (target, row) => {
            const own = values.subarray(row * CLASSES, (row + 1) * CLASSES);
            return own.indexOf(Math.max(...own)) === target ? 1 : 0;
          });
          const loss = await item(crossEntropy(logits, layer.targets));
          for (const chunk of [100, 256, 1000]) {
            const judged = judgedCrossEntropy(layer, layer.targets, precision, { chunk });
            expect([await item(judged.loss), ...(await readTensor(judged.right))]).toEqual([loss, ...wanted]);
          }
          expect(wanted.some((hit) => hit === 1)).toBe(true);
        }),
      );
    },
  );

  it("gives equal logits' row to the first", async () => {
    const precision = { policy: parsePolicy("fp32"), key: () => [3, 4] as const };
    const right = await wasm.step(async () => {
      const equal = {
        x: wasm.tensor(Float32Array.of(1, 1), [2, 1]),
        w: wasm.tensor(Float32Array.of(1, 2, 2), [3, 1]),
        b: null,
      };
      return readTensor(judgedCrossEntropy(equal, wasm.tensor(Int32Array.of(1, 2), [2]), precision).right);
    });
    expect([...right]).toEqual([1, 0]);
  });
});

it.each(Object.keys(policies))("some rows of a linear layer have the bits of the whole: %s", async (name) => {
  const precision = { policy: parsePolicy(policies[name]), key: () => [3, 4] as const };
  await wasm.step(() =>
    wasm.tape.without(async () => {
      const layer = layerOf(wasm, precision.policy, 77);
      const whole = await readTensor(linear(layer.x, layer.w, layer.b, precision));
      const before = wasm.stepBytes;
      const rows = linearRows(layer, precision, { first: 70, count: 3 });
      expect(await readTensor(rows)).toEqual(whole.subarray(70 * CLASSES, 73 * CLASSES));
      expect(wasm.stepBytes - before).toBe(4 * 3 * CLASSES);
    }),
  );
});
