/** Checks vector-Jacobian products against central differences. */
import { expect } from "vitest";
import { linear } from "../src/ops/linear.ts";
import { reshape } from "../src/ops/reshape.ts";
import { parsePolicy } from "../src/precision/parse-policy.ts";
import { normal } from "../src/random/normal.ts";
import { streamKey } from "../src/random/stream.ts";
import type { Device } from "../src/tensor/device.ts";
import { backward } from "../src/tensor/tape.ts";
import { FLOAT32, item, readTensor, sizeOf, type Tensor } from "../src/tensor/tensor.ts";

/** Products in float32, unrounded. */
export const full = { policy: parsePolicy("fp32"), key: () => [1, 2] as const };

/** Shapes of the tracked inputs, and the operation on them; its output is weighed by fixed random numbers. */
export interface GradientCase {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly run: (inputs: readonly Tensor[], device: Device) => Tensor;
}

/** Normal numbers from a stream of their own. */
export const random = (name: string, size: number): Float64Array =>
  Float64Array.from({ length: size }, (_, i) => normal(streamKey(5, name, 0, "test"), i));

/** Σ weight · y as a tensor with a gradient, through a product with a fixed column. */
function weighed(y: Tensor): Tensor {
  const size = sizeOf(y.shape);
  const row = reshape(y, [1, size]);
  const weights = y.device.tensor(random("weights", size), [1, size]);
  return linear(row, weights, null, full);
}

/**
 * Expects the gradient of every input element to be the central difference, within 1e-7: on a float64 device, whose own
 * error is far smaller.
 */
export async function expectTrueGradients(
  device: Device,
  { name, shapes, run }: GradientCase,
): Promise<void> {
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
}
