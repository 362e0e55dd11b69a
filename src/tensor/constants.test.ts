import { afterAll, describe, expect, it } from "vitest";
import type { HostArray } from "../kernels/backend.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { item, readTensor, type Tensor } from "./tensor.ts";
import { concatenate } from "../ops/concatenate.ts";
import { globalAveragePool } from "../ops/pooling.ts";
import { groupNorm } from "../ops/group-norm.ts";
import { meanSquaredError } from "../ops/losses.ts";
import { inverse, permutation, permuteRows } from "../ops/permute-rows.ts";
import { backward } from "./tape.ts";
import { constantTensor } from "./constants.ts";
import { Device } from "./device.ts";

const backend = createReferenceBackend();
const device = new Device(backend);
afterAll(() => device.close());

/** Index tables and rows that a piece of work writes. */
async function writesOf(work: () => Promise<unknown>): Promise<HostArray[]> {
  const written: HostArray[] = [];
  const write = backend.write.bind(backend);
  backend.write = (target, data) => {
    written.push(data);
    write(target, data);
  };
  await work();
  backend.write = write;
  return written;
}

describe("constant tensors", () => {
  it("are made once a device, and outlive steps", async () => {
    let made = 0;
    const make = (): Int32Array => {
      made++;
      return Int32Array.of(3, 1, 2);
    };
    const first = await device.step(() => constantTensor(device, "test", make));
    const second = await device.step(() => constantTensor(device, "test", make));
    expect([second === first, made, ...(await readTensor(second))]).toEqual([true, 1, 3, 1, 2]);
    const other = new Device(createReferenceBackend());
    expect(constantTensor(other, "test", make)).not.toBe(first);
    await other.close();
  });

  it("spare group norm, concatenation and pooling their tables in every step after the first", async () => {
    const shape = { batch: 2, height: 3, width: 2, channels: 4 };
    const data = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));
    const tensor = (values: Float32Array, dimensions: readonly number[]): Tensor => ({
      ...device.tensor(values, dimensions),
      tracked: true,
    });
    const x = tensor(data, [12, 4]);
    const [gain, bias] = [tensor(new Float32Array(4).fill(1), [4]), tensor(new Float32Array(4), [4])];
    const target = device.tensor(new Float32Array(16), [2, 8]);
    const step = () =>
      device.step(async () => {
        const normal = groupNorm(x, shape, gain, bias, 2);
        const both = concatenate([normal, x]);
        const pooled = globalAveragePool(both, { ...shape, channels: 8 });
        const loss = meanSquaredError(pooled, target);
        const gradients = backward(loss);
        return [await item(loss), ...(await readTensor(gradients.get(x) ?? x))];
      });
    let before: number[] = [];
    await writesOf(async () => (before = await step()));
    const held = backend.memory.bytes;
    let after: number[] = [];
    const written = await writesOf(async () => (after = await step()));
    // What is left is the gradient that the backward pass begins with.
    expect(written.map(({ length }) => length)).toEqual([1]);
    expect(after).toEqual(before);
    expect(backend.memory.bytes).toBe(held);
  });

  it("hold orders of rows, checked when they are first used", async () => {
    const x = device.tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]);
    const order = permutation("turn", () => Int32Array.of(2, 0, 1));
    const turned = permuteRows(x, order, 2);
    expect([...(await readTensor(turned))]).toEqual([5, 6, 1, 2, 3, 4]);
    expect([...(await readTensor(permuteRows(turned, inverse(order), 2)))]).toEqual([1, 2, 3, 4, 5, 6]);
    const twice = permutation("twice", () => Int32Array.of(0, 0, 1));
    expect(() => permuteRows(x, twice, 2)).toThrow(/row 0 of 3 is out of range or taken twice/);
    expect(() => permuteRows(x, order, 1)).toThrow(/3 rows of 1 are not the 6 elements/);
  });
});
