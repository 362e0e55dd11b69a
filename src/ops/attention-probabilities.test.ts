import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import { readTensor } from "../tensor/tensor.ts";
import { attentionProbabilities } from "./attention-probabilities.ts";
import { selfAttention } from "./attention.ts";

let devices: readonly Device[];
beforeAll(async () => {
  devices = [createReferenceBackend(), await createWasmBackend({ threads: 2 })].map((backend) => new Device(backend));
}); // prettier-ignore
afterAll(() => Promise.all(devices.map((device) => device.close())));

const [BATCH, HEADS, LENGTH, WIDTH] = [2, 2, 11, 8];
const COLUMNS = 3 * HEADS * WIDTH;
const qkv = Float32Array.from({ length: BATCH * LENGTH * COLUMNS }, (_, i) => 2 * normal([8, 4], i));
const lengths = [7, 11];

interface Seen {
  readonly softmax: readonly number[];
  readonly read: readonly number[];
  /** What attention computes from the same numbers. */
  readonly y: readonly number[];
}

function see(device: Device, policy: unknown, causal: boolean, padded = false): Promise<Seen> {
  const precision = { policy: parsePolicy(policy), key: () => [1, 2] as const };
  return device.step(() =>
    device.tape.without(async () => {
      const x = device.tensor(qkv, [BATCH * LENGTH, COLUMNS]);
      const tokens = padded ? lengths : null;
      const { softmax, read } = attentionProbabilities(x, BATCH, HEADS, causal, precision, tokens);
      const y = selfAttention(x, BATCH, HEADS, causal, precision, { lengths: tokens });
      return {
        softmax: Array.from(await readTensor(softmax)),
        read: Array.from(await readTensor(read)),
        y: Array.from(await readTensor(y)),
      };
    }),
  );
}

const indices = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** softmax(q·k / √width) in float64, by its definition. */
function defined(causal: boolean, padded: boolean): number[] {
  const at = (row: number, third: number, head: number, i: number): number =>
    qkv[row * COLUMNS + (third * HEADS + head) * WIDTH + i];
  return indices(BATCH).flatMap((b) =>
    indices(HEADS).flatMap((head) =>
      indices(LENGTH).flatMap((query) => {
        const powers = indices(LENGTH).map((key) => {
          if ((causal && key > query) || (padded && key >= lengths[b])) return 0;
          const [q, k] = [b * LENGTH + query, b * LENGTH + key];
          const dot = indices(WIDTH).reduce((sum, i) => sum + at(q, 0, head, i) * at(k, 1, head, i), 0);
          return Math.exp(dot / Math.sqrt(WIDTH));
        });
        const sum = powers.reduce((a, x) => a + x, 0);
        return powers.map((x) => x / sum);
      }),
    ),
  );
}

const rowsOf = (values: readonly number[]): number[][] =>
  indices(values.length / LENGTH).map((row) => values.slice(row * LENGTH, (row + 1) * LENGTH));

/** y = P v in float64. */
function attended(p: readonly number[]): number[] {
  const value = (row: number, head: number, i: number): number =>
    qkv[row * COLUMNS + (2 * HEADS + head) * WIDTH + i];
  const rows = rowsOf(p);
  return indices(BATCH * LENGTH * HEADS * WIDTH).map((place) => {
    const [row, column] = [Math.floor(place / (HEADS * WIDTH)), place % (HEADS * WIDTH)];
    const [b, query] = [Math.floor(row / LENGTH), row % LENGTH];
    const [head, i] = [Math.floor(column / WIDTH), column % WIDTH];
    const weights = rows[(b * HEADS + head) * LENGTH + query];
    return weights.reduce((sum, weight, k) => sum + weight * value(b * LENGTH + k, head, i), 0);
  });
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

describe("the probabilities of attention", () => {
  it.each([
    [true, false],
    [false, false],
    [false, true],
    [true, true],
  ])("are the softmax of the scores: causal %s, padded %s", async (causal, padded) => {
    for (const device of devices) {
      const { softmax, read } = await see(device, "fp32", causal, padded);
      expect(furthest(softmax, defined(causal, padded))).toBeLessThan(2e-6);
      expect(read).toEqual(softmax);
    }
  });

  it("sum to one in each row, and see nothing that comes later or is padding", async () => {
    for (const device of devices) {
      const { softmax } = await see(device, "fp32", true, true);
      for (const [row, values] of rowsOf(softmax).entries()) {
        expect(values.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 6);
        const seen = Math.min(1 + (row % LENGTH), lengths[Math.floor(row / (HEADS * LENGTH))]);
        expect(values.slice(seen).every((x) => x === 0)).toBe(true);
      }
    }
  });

  it("are what attention multiplies the values with, in float32 and rounded", async () => {
    for (const device of devices) {
      const plain = await see(device, "fp32", true);
      expect(furthest(plain.y, attended(plain.read))).toBeLessThan(1e-5);
      // Only the values' own rounding is between this product and the operation's.
      const coded = await see(device, { activation: "lns16-g1024" }, true);
      expect(furthest(coded.y, attended(coded.read))).toBeLessThan(0.01);
    }
  });

  it("show what a coarse format makes of them", async () => {
    for (const device of devices)
      for (const activation of ["lns8-g8", "mxfp4-e2m1", "fp8-e4m3"]) {
        const { softmax, read } = await see(device, { activation }, false);
        expect(new Set(read).size).toBeLessThan(new Set(softmax).size);
        expect(furthest(softmax, read)).toBeGreaterThan(1e-3);
        // At most what e2m1 loses: 6 is its largest, and the largest of a block becomes a number below 8.
        expect(furthest(softmax, read)).toBeLessThanOrEqual(0.25);
      }
  });
});
