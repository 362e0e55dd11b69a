import { describe, expect, it } from "vitest";
import { expectTrueGradients, full, type GradientCase } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { readValues, type Tensor } from "../tensor/tensor.ts";
import { affine } from "./affine.ts";
import { batchNorm, type RunningStatistics } from "./batch-norm.ts";
import { concatenate } from "./concatenate.ts";
import { conditionalAffine } from "./conditional-affine.ts";
import { conv2d } from "./conv2d.ts";
import { convTranspose2d } from "./conv-transpose2d.ts";
import { discriminatorHingeLoss, generatorHingeLoss } from "./adversarial-losses.ts";
import { embedding } from "./embedding.ts";
import { exactGelu } from "./exact-gelu.ts";
import { gatedSum } from "./gated-sum.ts";
import { groupNorm } from "./group-norm.ts";
import { leakyRelu } from "./leaky-relu.ts";
import { binaryCrossEntropy, hingeLoss, meanSquaredError } from "./losses.ts";
import { mean } from "./mean.ts";
import { nonLocalAttention } from "./non-local.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rowDot } from "./row-dot.ts";
import { sigmoid, silu } from "./sigmoid.ts";
import { softplus } from "./softplus.ts";
import { spectralNorm } from "./spectral-norm.ts";
import { tanh } from "./tanh.ts";
import { upsampleNearest } from "./upsample.ts";
import { relu } from "./relu.ts";
import { averagePool, globalAveragePool, maxPool, poolShape, rectifiedMaxPool } from "./pooling.ts";

const image = { batch: 2, height: 5, width: 4, channels: 3 };
const pixels = [40, 3];
const cases: readonly GradientCase[] = [
  {
    name: "maxPool",
    shapes: [pixels],
    run: ([x]) => maxPool(x, image, { kernel: [2, 2] }),
  },
  {
    name: "rectifiedMaxPool",
    shapes: [pixels],
    run: ([x]) => rectifiedMaxPool(x, image, { kernel: [2, 2] }),
  },
  {
    name: "rectifiedMaxPool of windows over the edge",
    shapes: [pixels],
    run: ([x]) => rectifiedMaxPool(x, image, { kernel: [3, 3], stride: 2, padding: 1 }),
  },
  {
    name: "maxPool of overlapping windows",
    shapes: [pixels],
    run: ([x]) => maxPool(x, image, { kernel: [3, 3], stride: 2, padding: 1 }),
  },
  {
    name: "maxPool of overlapping windows inside the image",
    shapes: [pixels],
    run: ([x]) => maxPool(x, image, { kernel: [3, 3], stride: 1 }),
  },
  {
    name: "averagePool",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [2, 2] }),
  },
  {
    name: "averagePool of overlapping windows",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [3, 2], stride: 2, padding: 1 }),
  },
  {
    name: "averagePool of what lies inside",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [3, 3], stride: 1, padding: 1, countsPadding: false }),
  },
  {
    name: "averagePool of what lies inside, stride 2",
    shapes: [pixels],
    run: ([x]) => averagePool(x, image, { kernel: [3, 2], stride: 2, padding: 1, countsPadding: false }),
  },
  {
    name: "globalAveragePool",
    shapes: [pixels],
    run: ([x]) => globalAveragePool(x, image),
  },
  {
    name: "conv2d",
    shapes: [pixels, [4, 27], [4]],
    run: ([x, w, b]) => conv2d({ pixels: x, shape: image }, w, b, { kernel: [3, 3], padding: 1, stride: 2 }, full).pixels,
  },
  {
    name: "conv2d of a row, zeros left and right",
    shapes: [pixels, [4, 9], [4]],
    run: ([x, w, b]) => conv2d({ pixels: x, shape: image }, w, b, { kernel: [1, 3], padding: [0, 1] }, full).pixels,
  },
  {
    name: "conv2d of a column, zeros above and below",
    shapes: [pixels, [4, 21]],
    run: ([x, w]) => conv2d({ pixels: x, shape: image }, w, null, { kernel: [7, 1], padding: [3, 0] }, full).pixels,
  },
  {
    name: "conv2d of one pixel",
    shapes: [pixels, [4, 3]],
    run: ([x, w]) => conv2d({ pixels: x, shape: image }, w, null, { kernel: [1, 1] }, full).pixels,
  },
  {
    name: "convTranspose2d",
    shapes: [pixels, [3, 36], [4]],
    run: ([x, w, b]) => convTranspose2d({ pixels: x, shape: image }, w, b, { kernel: [3, 3], padding: 1 }, full).pixels,
  },
  {
    name: "convTranspose2d with stride, output padding, dilation and groups",
    shapes: [[24, 4], [4, 12], [4]],
    run: ([x, w, b]) =>
      convTranspose2d(
        { pixels: x, shape: { batch: 2, height: 4, width: 3, channels: 4 } }, w, b,
        { kernel: [2, 3], stride: 2, padding: 1, outputPadding: 1, dilation: 2, groups: 2 }, full,
      ).pixels,
  },
  {
    name: "conditional batchNorm by class",
    shapes: [pixels, [4, 3], [4, 3]],
    run: ([x, gains, biases], device) => {
      const classes = device.tensor(Int32Array.of(2, 0), [2]);
      const normal = batchNorm(x, null, statistics(device), { training: true });
      return conditionalAffine(normal, image, embedding(gains, classes), embedding(biases, classes));
    },
  },
  { name: "rowDot", shapes: [[3, 5], [3, 5]], run: ([a, b]) => rowDot(a, b) },
  { name: "gatedSum", shapes: [[3, 5], [3, 5], [1]], run: ([x, branch, gate]) => gatedSum(x, branch, gate) },
  {
    name: "nonLocalAttention",
    shapes: [[12, 3], [8, 3], [8, 5]],
    run: ([q, k, v]) => nonLocalAttention(q, k, v, 2),
  },
  {
    // σ's derivative by u and v is zero where they have converged, as it has been taken.
    name: "spectralNorm of a converged state",
    shapes: [[4, 6]],
    run: ([w], device) =>
      spectralNorm(w, device.tensor(Float32Array.of(1, 2, -1, 3), [4]), { training: false, iterations: 300 }),
  },
  { name: "upsampleNearest", shapes: [pixels], run: ([x]) => upsampleNearest(x, image, 2) },
  { name: "sigmoid", shapes: [[3, 4]], run: ([x]) => sigmoid(x) },
  { name: "silu", shapes: [[3, 4]], run: ([x]) => silu(x) },
  { name: "softplus", shapes: [[3, 4]], run: ([x]) => softplus(x) },
  { name: "tanh", shapes: [[3, 4]], run: ([x]) => tanh(x) },
  { name: "leakyRelu", shapes: [[3, 4]], run: ([x]) => leakyRelu(x, 0.2) },
  { name: "exactGelu", shapes: [[3, 4]], run: ([x]) => exactGelu(x) },
  { name: "affine", shapes: [[5, 3], [3], [3]], run: ([x, g, b]) => affine(x, g, b) },
  { name: "rmsNorm", shapes: [[4, 6], [6]], run: ([x, g]) => rmsNorm(x, g) },
  {
    name: "groupNorm",
    shapes: [[20, 6], [6], [6]],
    run: ([x, g, b]) => groupNorm(x, { batch: 2, height: 5, width: 2, channels: 6 }, g, b, 3),
  },
  {
    name: "batchNorm by the batch",
    shapes: [[7, 3], [3], [3]],
    run: ([x, gain, bias], device) => batchNorm(x, { gain, bias }, statistics(device), { training: true }),
  },
  {
    name: "batchNorm by running statistics",
    shapes: [[7, 3], [3], [3]],
    run: ([x, gain, bias], device) => batchNorm(x, { gain, bias }, statistics(device), { training: false }),
  },
  {
    name: "batchNorm without affine",
    shapes: [[7, 3]],
    run: ([x], device) => batchNorm(x, null, statistics(device), { training: true }),
  },
  { name: "concatenate", shapes: [[4, 6], [4, 2], [4, 4]], run: (parts) => concatenate(parts) },
  { name: "meanSquaredError", shapes: [[3, 4]], run: ([x], device) => meanSquaredError(x, targets(device)) },
  { name: "binaryCrossEntropy", shapes: [[3, 4]], run: ([x], device) => binaryCrossEntropy(x, targets(device)) },
  { name: "discriminatorHingeLoss", shapes: [[5, 1], [3, 1]], run: ([a, b]) => discriminatorHingeLoss(a, b) },
  { name: "generatorHingeLoss", shapes: [[5, 1]], run: ([x]) => generatorHingeLoss(x) },
  { name: "hingeLoss", shapes: [[3, 4]], run: ([x], device) => hingeLoss(x, targets(device)) },
]; // prettier-ignore

function statistics(device: Device): RunningStatistics {
  return {
    mean: device.tensor(Float32Array.of(0.1, -0.2, 0.3), [3]),
    variance: device.tensor(Float32Array.of(0.5, 1, 2), [3]),
  };
}

const targets = (device: Device): Tensor =>
  device.tensor(
    Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 1 : -1)),
    [3, 4],
  );

describe("vector-Jacobian products of image operations equal central differences in float64", () => {
  it.each(cases)("$name", async (given) => {
    await expectTrueGradients(new Device(createReferenceBackend()), given);
  });
});

describe("pooling", () => {
  it("takes windows where they lie, padding never winning", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 3, width: 3, channels: 1 };
    const options = { kernel: [2, 2], stride: 2, padding: 1 } as const;
    const values = Float32Array.of(-1, -2, -3, -4, -5, -6, -7, -8, -9);
    await device.step(async () => {
      const x = device.tensor(values, [9, 1]);
      expect(await readValues(maxPool(x, one, options))).toEqual(Float32Array.of(-1, -2, -4, -5));
      expect(await readValues(averagePool(x, one, options))).toEqual(
        Float32Array.of(-0.25, -1.25, -2.75, -7),
      );
      expect(await readValues(globalAveragePool(x, one))).toEqual(Float32Array.of(-5));
    });
    expect(poolShape(one, options)).toEqual({ batch: 1, height: 2, width: 2, channels: 1 });
    await device.close();
  });

  it("gives the gradient to the first of equal places", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 2, width: 4, channels: 3 };
    const values = Float32Array.from({ length: 24 }, (_, i) => (i * 5) % 7);
    const windows = { kernel: [2, 2], stride: 2, padding: 0 } as const;
    await device.step(async () => {
      const x = { ...device.tensor(values, [8, 3]), tracked: true };
      const y = maxPool(x, one, windows);
      const tops = await readValues(y);
      const dx = backward(mean(y)).get(x);
      const gradients = dx ? await readValues(dx) : [];
      const at = (place: number, c: number): number => 3 * place + c;
      for (const window of [0, 1])
        for (const c of [0, 1, 2]) {
          const places = [0, 1, 4, 5].map((tap) => at(2 * window + tap, c));
          const top = Math.max(...places.map((place) => values[place]));
          const first = places.find((place) => values[place] === top);
          expect(tops[at(window, c)]).toBe(top);
          for (const place of places) expect(gradients[place]).toBe(place === first ? Math.fround(1 / 6) : 0);
        }
    });
    await device.close();
  });

  it.each([true, false])("averages with zeros around that count (%s) as the reference does", async (countsPadding) => {
    const options = { kernel: [3, 3], stride: 1, padding: 1, countsPadding } as const;
    const [shape, size] = [{ batch: 2, height: 4, width: 3, channels: 5 }, 120];
    const values = Float32Array.from({ length: size }, (_, i) => ((i * 37) % 41) / 7 - 2);
    const wanted = Float64Array.from(values, (_, i) => {
      const [c, pixel] = [i % 5, Math.floor(i / 5)];
      const [n, y, x] = [Math.floor(pixel / 12), Math.floor(pixel / 3) % 4, pixel % 3];
      const inside = [-1, 0, 1]
        .flatMap((dy) => [-1, 0, 1].map((dx) => [y + dy, x + dx]))
        .filter(([row, column]) => row >= 0 && row < 4 && column >= 0 && column < 3);
      const sum = inside.reduce((total, [row, column]) => total + values[((n * 4 + row) * 3 + column) * 5 + c], 0);
      return sum / (countsPadding ? 9 : inside.length);
    });
    for (const backend of [createReferenceBackend(), await createWasmBackend({ threads: 1 })]) {
      const device = new Device(backend);
      const got = await device.step(() => readValues(averagePool(device.tensor(values, [24, 5]), shape, options)));
      expect(Math.max(...got.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(1e-6);
      await device.close();
    }
  }); // prettier-ignore

  it("rectified, is the rectifier of the maximum, and the maximum of what is rectified", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 4, width: 4, channels: 3 };
    // Zeros, equal places and windows without a positive place among them.
    const given = Float32Array.from({ length: 48 }, (_, i) => ((i * 5) % 7) - 5 + (i % 3));
    for (const options of [{ kernel: [2, 2] }, { kernel: [3, 3], stride: 1 }, { kernel: [2, 2], padding: 1 }] as const)
      await device.step(async () => {
        const of = async (pool: (x: Tensor) => Tensor) => {
          const x = { ...device.tensor(given, [16, 3]), tracked: true };
          const y = pool(x);
          const values = await readValues(y);
          const found = backward(mean(y)).get(x);
          return [values, found ? await readValues(found) : null];
        };
        const got = await of((x) => rectifiedMaxPool(x, one, options));
        expect(got).toEqual(await of((x) => relu(maxPool(x, one, options))));
        const [largest] = await of((x) => maxPool(relu(x), one, options));
        expect(got[0]).toEqual(largest);
      });
    await device.close();
  }); // prettier-ignore

  it("lets a NaN through", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const one = { batch: 1, height: 2, width: 2, channels: 1 };
    for (const place of [0, 1, 3]) {
      const values = new Float32Array(4);
      values[place] = NaN;
      const [top] = await device.step(() =>
        readValues(maxPool(device.tensor(values, [4, 1]), one, { kernel: [2, 2] })),
      );
      expect(top).toBeNaN();
    }
    await device.close();
  });
});

describe("batchNorm", () => {
  it("remembers batches as PyTorch does, and uses what it remembers", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const running = {
      mean: device.keep(device.tensor(Float32Array.of(0), [1])),
      variance: device.keep(device.tensor(Float32Array.of(1), [1])),
    };
    const values = Float32Array.of(1, 2, 3, 6);
    await device.step(async () => {
      const y = await readValues(batchNorm(device.tensor(values, [4, 1]), null, running, { training: true }));
      expect(y[0]).toBeCloseTo(-2 / Math.sqrt(3.5), 4);
    });
    expect((await readValues(running.mean))[0]).toBeCloseTo(0.3, 6);
    expect((await readValues(running.variance))[0]).toBeCloseTo(0.9 + (0.1 * 14) / 3, 6);
    await device.step(async () => {
      const y = await readValues(
        batchNorm(device.tensor(values, [4, 1]), null, running, { training: false }),
      );
      expect(y[3]).toBeCloseTo((6 - 0.3) / Math.sqrt(0.9 + 1.4 / 3), 4);
    });
    await device.close();
  });
});

describe("concatenate and upsample", () => {
  it("put elements where they belong", async () => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    await device.step(async () => {
      const [a, b] = [
        device.tensor(Float32Array.of(1, 2, 3, 4), [2, 2]),
        device.tensor(Float32Array.of(8, 9), [2, 1]),
      ];
      expect(await readValues(concatenate([a, b]))).toEqual(Float32Array.of(1, 2, 8, 3, 4, 9));
      const wide = upsampleNearest(
        device.tensor(Float32Array.of(1, 2), [2, 1]),
        { batch: 1, height: 1, width: 2, channels: 1 },
        2,
      );
      expect(await readValues(wide)).toEqual(Float32Array.of(1, 1, 2, 2, 1, 1, 2, 2));
    });
    await device.close();
  });
});
