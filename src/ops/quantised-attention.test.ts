import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { readTensor } from "../tensor/tensor.ts";
import { selfAttention, type SelfAttentionOptions } from "./attention.ts";
import { linear } from "./linear.ts";
import { reshape } from "./reshape.ts";

let devices: readonly Device[];
beforeAll(async () => {
  devices = [createReferenceBackend(), await createWasmBackend({ threads: 2 })].map((backend) => new Device(backend));
}); // prettier-ignore
afterAll(() => Promise.all(devices.map((device) => device.close())));

const [BATCH, HEADS, LENGTH] = [2, 2, 37];
const random = (length: number, key: number) => Float32Array.from({ length }, (_, i) => normal([key, 3], i));
const key = () => [1, 2] as const;
const exact = { policy: parsePolicy("fp32"), key };

interface Result {
  readonly y: Float32Array;
  readonly gradient: Float32Array;
}

/** Attention of heads of a width, and its gradient from a given dy. */
function attend(
  device: Device,
  policy: unknown,
  width: number,
  causal: boolean,
  drop: SelfAttentionOptions = {},
): Promise<Result> {
  const [rows, columns] = [BATCH * LENGTH, HEADS * width];
  return device.step(async () => {
    const qkv = { ...device.tensor(random(rows * 3 * columns, 1), [rows, 3 * columns]), tracked: true };
    const precision = { policy: parsePolicy(policy), key };
    const y = selfAttention(qkv, BATCH, HEADS, causal, precision, drop);
    const values = Float32Array.from(await readTensor(y));
    const dy = device.tensor(random(rows * columns, 2), [1, rows * columns]);
    const found = backward(linear(reshape(y, [1, rows * columns]), dy, null, exact));
    return { y: values, gradient: Float32Array.from(await readTensor(found.get(qkv) ?? qkv)) };
  });
}

/** Root mean square of the difference, against that of `b`. */
function distance(a: Float32Array, b: Float32Array): number {
  const squares = (values: Float32Array) => values.reduce((sum, x) => sum + x * x, 0);
  return Math.sqrt(squares(a.map((x, i) => x - b[i])) / squares(b));
}

const drop: SelfAttentionOptions = { dropout: 0.4, key: [5, 6] };
const mx = (format: string, block?: 16) => {
  const blocks = block ? { format, block } : format;
  return { activation: blocks, error: blocks, passes: "both" } as const;
};

describe("attention of rounded operands", () => {
  it.each([true, false])("is that of float32 with wide formats, causal %s", async (causal) => {
    for (const device of devices)
      for (const width of [8, 32]) {
        const want = await attend(device, "fp32", width, causal);
        const got = await attend(device, mx("mxint8"), width, causal);
        expect(distance(got.y, want.y)).toBeLessThan(0.03);
        expect(distance(got.gradient, want.gradient)).toBeLessThan(0.03);
      }
  });

  it("drops what the fused kernel drops, forward and backward", async () => {
    for (const device of devices)
      for (const causal of [true, false]) {
        const want = await attend(device, "fp32", 8, causal, drop);
        const errors = await attend(device, { error: "bf16", passes: "both" }, 8, causal, drop);
        expect(distance(errors.y, want.y)).toBeLessThan(1e-5);
        expect(distance(errors.gradient, want.gradient)).toBeLessThan(0.02);
        for (const policy of [mx("mxint8"), { activation: "mxint8", passes: "forward-only" }] as const) {
          const got = await attend(device, policy, 8, causal, drop);
          expect(distance(got.y, want.y)).toBeLessThan(0.03);
          expect(distance(got.gradient, want.gradient)).toBeLessThan(0.03);
        }
        const whole = await attend(device, mx("mxint8"), 8, causal);
        expect(distance(whole.y, want.y)).toBeGreaterThan(0.2);
      }
  });

  it("wants a key for dropout, and a probability below 1", async () => {
    const policy = mx("mxint8");
    await expect(attend(devices[0], policy, 8, true, { dropout: 0.5 })).rejects.toThrow(/without a key/);
    await expect(attend(devices[0], policy, 8, true, { ...drop, dropout: 1 })).rejects.toThrow(/0 <= p < 1/);
  });

  it("is the same where blocks are made while packing as where they are codes", async () => {
    const [, wasm] = devices;
    for (const [format, block] of [["mxfp4-e2m1"], ["mxfp6-e2m3", 16], ["mxfp8-e4m3"]] as const)
      for (const width of [8, 48]) {
        const { y } = await attend(wasm, mx(format, block), width, true);
        const evaluated = await wasm.step(() =>
          wasm.tape.without(async () => {
            const columns = 3 * HEADS * width;
            const qkv = wasm.tensor(random(BATCH * LENGTH * columns, 1), [BATCH * LENGTH, columns]);
            const precision = { policy: parsePolicy(mx(format, block)), key };
            return readTensor(selfAttention(qkv, BATCH, HEADS, true, precision));
          }),
        );
        expect(Array.from(evaluated)).toEqual(Array.from(y));
      }
  });

  it("gives on wasm what the judge gives", async () => {
    for (const [format, block] of [["mxfp4-e2m1"], ["mxfp6-e2m3", 16]] as const) {
      const [want, got] = await Promise.all(devices.map((device) => attend(device, mx(format, block), 32, true, drop)));
      // A probability or an error next to a rounding boundary may fall on its other side.
      expect(distance(got.y, want.y)).toBeLessThan(0.02);
      const differing = got.y.filter((value, i) => Math.abs(value - want.y[i]) > 1e-4).length;
      expect(differing / got.y.length).toBeLessThan(0.02);
      expect(distance(got.gradient, want.gradient)).toBeLessThan(0.02);
    }
  }); // prettier-ignore
});
