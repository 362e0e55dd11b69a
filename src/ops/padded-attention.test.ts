import { describe, expect, it } from "vitest";
import { expectTrueGradients, random } from "../../test/numerical-gradient.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { Device } from "../tensor/device.ts";
import { readTensor, type Tensor } from "../tensor/tensor.ts";
import { selfAttention } from "./attention.ts";
import { headsOf } from "./attention-layout.ts";
import { quantisedAttention } from "./quantised-attention.ts";

const [batch, length, heads, joined] = [3, 5, 2, 6];
const lengths = [2, 5, 3];
const data = random("qkv", batch * length * 3 * joined);
const key = (): readonly [number, number] => [7, 9];

/** Rows `from` to `to` of a result as a plain array. */
const rowsOf = (values: ArrayLike<number>, from: number, to: number): number[] =>
  Array.from(values).slice(from * joined, to * joined);

async function resultOf(device: Device, attend: (device: Device) => Tensor): Promise<number[]> {
  return device.step(async () => Array.from(await readTensor(attend(device))));
}

const policies = { fp32: "fp32", bf16: "bf16", "formats of a gradient": { error: "bf16" } };

describe.each(Object.entries(policies))("attention of padded sequences, %s", (_, policy) => {
  const precision = { policy: parsePolicy(policy), key };

  it.each([false, true])("is that of each sequence by itself, causal: %s", async (causal) => {
    const device = new Device(await createWasmBackend({ threads: 1 }));
    const whole = await resultOf(device, () =>
      selfAttention(device.tensor(data, [batch * length, 3 * joined]), batch, heads, causal, precision, {
        lengths,
      }),
    );
    for (const [i, tokens] of lengths.entries()) {
      const start = i * length * 3 * joined;
      const own = data.slice(start, start + tokens * 3 * joined);
      const alone = await resultOf(device, () =>
        selfAttention(device.tensor(own, [tokens, 3 * joined]), 1, heads, causal, precision),
      );
      const padded = rowsOf(whole, i * length, i * length + tokens);
      expect(Math.max(...padded.map((x, j) => Math.abs(x - alone[j])))).toBeLessThan(1e-6);
    }
    expect(whole.every(Number.isFinite)).toBe(true);
    await device.close();
  });
});

const shapes = [[batch * length, 3 * joined]];

it.each([
  ["the fused kernel", {}],
  ["the fused kernel with dropout", { dropout: 0.3, key: key() }],
])("gradients of padded attention are true: %s", async (name, drop) => {
  const device = new Device(createReferenceBackend());
  const run = ([qkv]: readonly Tensor[]) =>
    selfAttention(qkv, batch, heads, false, null, { ...drop, lengths });
  await expectTrueGradients(device, { name, shapes, run });
});

it("gradients of padded attention are true: products one by one", async () => {
  const device = new Device(createReferenceBackend());
  const precision = { policy: parsePolicy("fp32"), key };
  const run = ([qkv]: readonly Tensor[]) =>
    quantisedAttention(qkv, headsOf(qkv.shape, batch, heads, false, lengths), precision);
  await expectTrueGradients(device, { name: "products", shapes, run });
});

it("drops other probabilities in each sequence", async () => {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const one = data.slice(0, 4 * 3 * joined);
  const twice = new Float64Array([...one, ...one]);
  const found = await resultOf(device, () =>
    selfAttention(device.tensor(twice, [8, 3 * joined]), 2, heads, false, null, {
      dropout: 0.5,
      key: key(),
      lengths: [4, 4],
    }),
  );
  expect(rowsOf(found, 0, 4)).not.toEqual(rowsOf(found, 4, 8));
  await device.close();
});

it.each([[[2, 5]], [[0, 1, 1]], [[2, 6, 1]], [[1.5, 2, 2]]])("refuses lengths of %j", async (wrong) => {
  const device = new Device(createReferenceBackend());
  const attend = () =>
    selfAttention(device.tensor(data, [15, 18]), batch, heads, false, null, { lengths: wrong });
  await device.step(() =>
    expect(attend).toThrow(/with lengths \[.*\]: wants one of 1 to 5 for each sequence/),
  );
});
