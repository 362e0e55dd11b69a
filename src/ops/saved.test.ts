import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { readTensor, type Tensor } from "../tensor/tensor.ts";
import { add } from "./add.ts";
import { gelu } from "./gelu.ts";
import { layerNorm } from "./layer-norm.ts";
import { mean } from "./mean.ts";
import { dequantise, quantise } from "./quantise.ts";
import { relu } from "./relu.ts";

const key = () => [1, 2] as const;
const saved = { format: "lns8-g8", rounding: "nearest-even", scale: "tensor" } as const;
const coded = { policy: { ...parsePolicy("fp32"), saved }, key };
const axes = { channel: 1, reduction: 1 } as const;

const device = new Device(createReferenceBackend());
const size = { rows: 6, columns: 8 };
const random = (name: string): Float64Array =>
  Float64Array.from({ length: 48 }, (_, i) => normal(streamKey(3, name, 0, "test"), i));
const input = (values = random("x")): Tensor => ({
  ...device.tensor(values, [size.rows, size.columns]),
  tracked: true,
});
const roundedInput = (): Promise<Float64Array> =>
  device.step(async () =>
    Float64Array.from(await readTensor(dequantise(quantise(input(), saved, axes, key())))),
  );

/** The result of an operation and the gradient of its mean. */
const run = (values: Float64Array, operation: (x: Tensor) => Tensor): Promise<ArrayLike<number>[]> =>
  device.step(async () => {
    const x = input(values);
    const y = operation(x);
    const result = await readTensor(y);
    const gradient = backward(mean(y)).get(x);
    return gradient ? [result, await readTensor(gradient)] : [result];
  });

describe("an input kept in a policy's format", () => {
  it("changes where GELU is differentiated, not its result", async () => {
    const [y, gradient] = await run(random("x"), (x) => gelu(x, coded));
    const [exact] = await run(random("x"), (x) => gelu(x));
    const [, atRounded] = await run(await roundedInput(), (x) => gelu(x));
    expect(y).toEqual(exact);
    expect(gradient).toEqual(atRounded);
  });

  it("serves layer norm, with the mean and deviation of the input itself", async () => {
    const norm = (x: Tensor, precision: typeof coded | null): Tensor => {
      const ones = device.tensor(new Float64Array(8).fill(1), [8]);
      const weights = device.tensor(random("weights").subarray(0, 8), [8]);
      return relu(layerNorm(x, ones, weights, undefined, precision));
    };
    const [y, gradient] = await run(random("x"), (x) => norm(x, coded));
    const [exact, exactGradient] = await run(random("x"), (x) => norm(x, null));
    expect(y).toEqual(exact);
    expect(gradient).not.toEqual(exactGradient);
    for (let i = 0; i < 48; i++) expect(Math.abs(gradient[i] - exactGradient[i])).toBeLessThan(0.005);
  });
});

describe("a discarded result", () => {
  it("is freed at once where no vjp reads it, else by the backward pass", async () => {
    const gradients = await device.step(async () => {
      const x = input();
      const two = add(x, x);
      const bytes = device.stepBytes;
      const y = gelu(two, coded); // keeps its input in codes: a quarter, and a scale
      device.tape.discard(two);
      const kept = device.stepBytes - bytes;
      const z = gelu(y); // reads its input as it is
      device.tape.discard(y);
      const all = backward(mean(z)).get(x);
      return { kept, gradient: all ? await readTensor(all) : null };
    });
    const float = 48 * 4;
    expect(gradients.kept).toBeLessThan(float / 2);
    expect(gradients.kept).toBeGreaterThan(0);
    const [, wanted] = await run(random("x"), (x) => gelu(gelu(add(x, x), coded)));
    expect(gradients.gradient).toEqual(wanted);
    expect(device.backend.memory.bytes).toBe(0);
  });

  it("is freed at once where nothing is recorded", () =>
    device.step(() =>
      device.tape.without(() => {
        const y = gelu(input(), coded);
        const bytes = device.stepBytes;
        device.tape.discard(y);
        expect(bytes - device.stepBytes).toBe(48 * 4);
      }),
    ));
});
