import { afterEach, describe, expect, it } from "vitest";
import { full, random } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { isCoded, item, readTensor, readValues, type Tensor } from "../tensor/tensor.ts";
import { discriminatorHingeLoss, generatorHingeLoss } from "./adversarial-losses.ts";
import { convTranspose2d, transposedGeometry } from "./conv-transpose2d.ts";
import { linear } from "./linear.ts";
import { mean } from "./mean.ts";
import { nonLocalAttention } from "./non-local.ts";
import { quantise } from "./quantise.ts";
import { spectralNorm } from "./spectral-norm.ts";

const open: Device[] = [];
afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});
async function wasm(): Promise<Device> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  open.push(device);
  return device;
}

const relativeError = (found: ArrayLike<number>, wanted: ArrayLike<number>): number => {
  let [difference, size] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    difference += (found[i] - wanted[i]) ** 2;
    size += wanted[i] ** 2;
  }
  return Math.sqrt(difference / size);
};

describe("convTranspose2d", () => {
  it("puts a scaled window at every pixel, overlapping ones added", async () => {
    const device = await wasm();
    await device.step(async () => {
      const x = device.tensor(Float32Array.of(1, 2, 3, 4), [4, 1]);
      const w = device.tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), [1, 9]);
      const b = device.tensor(Float32Array.of(10), [1]);
      const images = { pixels: x, shape: { batch: 1, height: 2, width: 2, channels: 1 } };
      const y = convTranspose2d(images, w, b, { kernel: [3, 3], stride: 2 }, full);
      expect(y.shape).toEqual({ batch: 1, height: 5, width: 5, channels: 1 });
      const wanted = [
        1, 2, 5, 4, 6,
        4, 5, 14, 10, 12,
        10, 14, 36, 24, 30,
        12, 15, 34, 20, 24,
        21, 24, 55, 32, 36,
      ]; // prettier-ignore
      expect([...(await readValues(y.pixels))]).toEqual(wanted.map((value) => value + 10));
    });
  });

  it("has PyTorch's sizes, of which output padding picks one", () => {
    const image = { batch: 1, height: 7, width: 5, channels: 4 };
    const sizes = { kernel: [3, 3], stride: 2, padding: 1 } as const;
    expect(transposedGeometry(image, 6, sizes).input).toMatchObject({ height: 13, width: 9, channels: 6 });
    const padded = transposedGeometry(image, 6, { ...sizes, outputPadding: 1 });
    expect(padded.input).toMatchObject({ height: 14, width: 10 });
    expect(padded.output).toMatchObject(image);
    expect(() => transposedGeometry(image, 6, { ...sizes, outputPadding: 2 })).toThrow(/below the stride, 2/);
  });

  it.each(["lns-madam-8", "mxfp8", "lmd-mxfp6"])("reads operands in %s, near the float32 ones", async (preset) => {
    const device = await wasm();
    const shape = { batch: 2, height: 3, width: 3, channels: 40 };
    const run = (precision: typeof full) =>
      device.step(async () => {
        const tracked = (name: string, rows: number, columns: number): Tensor => ({
          ...device.tensor(Float32Array.from(random(name, rows * columns)), [rows, columns]),
          tracked: true,
        });
        const [x, w] = [tracked("x", 18, 40), tracked("w", 40, 9 * 36)];
        const y = convTranspose2d({ pixels: x, shape }, w, null, { kernel: [3, 3], stride: 2 }, precision).pixels;
        const values = await readValues(y);
        const weights = device.tensor(Float32Array.from(random("dy", values.length)), [1, values.length]);
        const gradients = backward(linear({ ...y, shape: [1, values.length] }, weights, null, full));
        const of = async (tensor: Tensor) => readValues(gradients.get(tensor) ?? tensor);
        return [values, await of(x), await of(w)];
      });
    const [exact, rounded] = [await run(full), await run({ ...full, policy: parsePolicy(preset) })];
    for (const [i, wanted] of exact.entries()) expect(relativeError(rounded[i], wanted)).toBeLessThan(0.09);
    expect([...rounded[0]]).not.toEqual([...exact[0]]);
  }); // prettier-ignore
});

const matrixProduct = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));

/** A rotation in the plane of two axes. */
function rotation(i: number, j: number, angle: number): number[][] {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const matrix = [0, 1, 2].map((row) => [0, 1, 2].map((column): number => (row === column ? 1 : 0)));
  [matrix[i][i], matrix[i][j], matrix[j][i], matrix[j][j]] = [c, -s, s, c];
  return matrix;
}

/** Singular values 3, 2 and 1 between two rotations. */
function knownMatrix(): Float32Array {
  const left = matrixProduct(rotation(0, 1, 0.7), rotation(1, 2, 1.1));
  const right = matrixProduct(rotation(0, 2, 0.4), rotation(0, 1, -0.9));
  const diagonal = [3, 2, 1].map((value, row) => [0, 1, 2].map((column) => (row === column ? value : 0)));
  return Float32Array.from(matrixProduct(matrixProduct(left, diagonal), right).flat());
}

describe("spectralNorm", () => {
  const state = Float32Array.of(0.5, -0.3, 0.8);
  const codes = { format: "lns8-g16", rounding: "nearest-even", scale: "tensor" } as const;

  it("comes to divide by the largest singular value, its state moving in training alone", async () => {
    const device = await wasm();
    const w = { ...device.keep(device.tensor(knownMatrix(), [3, 3])), tracked: true };
    const u = device.keep(device.tensor(state, [3]));
    const normalise = (training: boolean) =>
      device.step(async () => [...(await readValues(spectralNorm(w, u, { training })))]);
    const before = await normalise(false);
    expect(await readTensor(u)).toEqual(state);
    expect(await normalise(true)).toEqual(before);
    expect(await readTensor(u)).not.toEqual(state);
    for (let i = 0; i < 30; i++) await normalise(true);
    const settled = await normalise(false);
    knownMatrix().forEach((value, i) => expect(settled[i]).toBeCloseTo(value / 3, 5));
  });

  it("divides codes by dividing their scale, and gives the same as of their values", async () => {
    const device = await wasm();
    await device.step(async () => {
      const coded = { ...quantise(device.tensor(knownMatrix(), [3, 3]), codes, { channel: 0, reduction: 1 }, [0, 0]), tracked: true };
      const values = { ...device.tensor(await readValues(coded), [3, 3]), tracked: true };
      const x = device.tensor(Float32Array.of(1, -2, 3, 4, 5, -6), [2, 3]);
      const through = async (w: Tensor) => {
        const normal = spectralNorm(w, device.tensor(state, [3]), { training: true, iterations: 3 });
        const y = linear(x, normal, null, full);
        const out = await readValues(y);
        return { normal, out, gradient: await readValues(backward(mean(y)).get(w) ?? w) };
      };
      const [a, b] = [await through(coded), await through(values)];
      expect(isCoded(a.normal) && a.normal.storage === coded.storage).toBe(true);
      expect(relativeError(a.out, b.out)).toBeLessThan(1e-6);
      expect(relativeError(a.gradient, b.gradient)).toBeLessThan(1e-6);
      expect(await readValues(coded)).toEqual(await readValues(values));
    });
  }); // prettier-ignore

  it("leaves a weight of zeros zero", async () => {
    const device = await wasm();
    const found = await device.step(() =>
      readValues(spectralNorm(device.tensor(new Float32Array(6), [3, 2]), device.tensor(state, [3]), { training: true })),
    );
    expect([...found]).toEqual([0, 0, 0, 0, 0, 0]);
  }); // prettier-ignore
});

it.each(["lns-madam-8", "mxfp8", "lmd-mxfp6"])("nonLocalAttention reads operands in %s", async (preset) => {
  const device = await wasm();
  const run = (precision: typeof full) =>
    device.step(async () => {
      const tracked = (name: string, rows: number, columns: number): Tensor => ({
        ...device.tensor(Float32Array.from(random(name, rows * columns), (x) => x / 2), [rows, columns]),
        tracked: true,
      });
      const [q, k, v] = [tracked("q", 2 * 36, 6), tracked("k", 2 * 9, 6), tracked("v", 2 * 9, 20)];
      const y = nonLocalAttention(q, k, v, 2, precision);
      const values = await readValues(y);
      const weights = device.tensor(Float32Array.from(random("dy", values.length)), [1, values.length]);
      const gradients = backward(linear({ ...y, shape: [1, values.length] }, weights, null, full));
      return [values, ...(await Promise.all([q, k, v].map((x) => readValues(gradients.get(x) ?? x))))];
    });
  const [exact, rounded] = [await run(full), await run({ ...full, policy: parsePolicy(preset) })];
  for (const [i, wanted] of exact.entries()) expect(relativeError(rounded[i], wanted)).toBeLessThan(0.1);
  expect([...rounded[0]]).not.toEqual([...exact[0]]);
}); // prettier-ignore

it("hinge losses are 2 and 0 for a discriminator that knows nothing and all", async () => {
  const device = new Device(createReferenceBackend());
  const scores = (...values: number[]): Tensor =>
    device.tensor(Float64Array.from(values), [values.length, 1]);
  await device.step(async () => {
    expect(await item(discriminatorHingeLoss(scores(0, 0), scores(0)))).toBe(2);
    expect(await item(discriminatorHingeLoss(scores(1.5, 2), scores(-1, -3)))).toBe(0);
    expect(await item(discriminatorHingeLoss(scores(0, 2), scores(-0.5, 1)))).toBe(0.5 + (0.5 + 2) / 2);
    expect(await item(generatorHingeLoss(scores(3, -1)))).toBe(-1);
  });
});
