import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../kernels/wasm/index.ts";
import { parsePolicy } from "../precision/parse-policy.ts";
import { normal } from "../random/normal.ts";
import { streamKey } from "../random/stream.ts";
import { Device } from "../tensor/device.ts";
import { backward } from "../tensor/tape.ts";
import { FLOAT32, isCoded, readTensor, sizeOf, type Tensor } from "../tensor/tensor.ts";
import { headsOf } from "./attention-layout.ts";
import { fusedCausalAttention, fusedCrossAttention, fusedSelfAttention } from "./fused-attention.ts";
import { gelu } from "./gelu.ts";
import { mean } from "./mean.ts";
import { dequantise, quantise } from "./quantise.ts";
import { quantisedAttention } from "./quantised-attention.ts";

const random = (name: string, size: number): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => normal(streamKey(5, name, 0, "test"), i));

describe("fused attention", () => {
  let device: Device;
  beforeAll(async () => {
    device = new Device(await createWasmBackend({ threads: 2 }));
  });
  afterAll(() => device.close());

  /** y, and the gradient of a mean over y that weighs every element differently. */
  const valueAndGradient = (
    data: Float32Array,
    shape: readonly number[],
    operation: (qkv: Tensor) => Tensor,
  ) =>
    device.step(async () => {
      const qkv = { ...device.tensor(data, shape, FLOAT32), tracked: true };
      const y = operation(qkv);
      const values = await readTensor(y);
      const gradients = backward(mean(gelu(y)));
      return [values, await readTensor(gradients.get(qkv) ?? qkv)] as const;
    });

  const expectClose = (got: ArrayLike<number>, wanted: ArrayLike<number>) => {
    let [top, error] = [0, 0];
    for (let i = 0; i < wanted.length; i++) {
      top = Math.max(top, Math.abs(wanted[i]));
      error = Math.max(error, Math.abs(got[i] - wanted[i]));
    }
    expect(error).toBeLessThan(2e-6 * top);
  };

  /** The same by products and a softmax. */
  const composed = (heads: number, causal: boolean) => (qkv: Tensor) => {
    const precision = { policy: parsePolicy("fp32"), key: () => [1, 2] as const };
    return quantisedAttention(qkv, headsOf(qkv.shape, 2, heads, causal), precision);
  };

  it("gives what products and a softmax give, forward and backward", async () => {
    for (const [length, heads, width] of [[1, 1, 1], [40, 3, 20], [130, 2, 64]]) {
      const shape = [2 * length, 3 * heads * width];
      const data = random(`${length}`, sizeOf(shape));
      for (const causal of [true, false]) {
        const fused = (x: Tensor): Tensor => fusedSelfAttention(x, 2, heads, causal);
        const [y, dqkv] = await valueAndGradient(data, shape, fused);
        const [wanted, gradient] = await valueAndGradient(data, shape, composed(heads, causal));
        expectClose(y, wanted);
        expectClose(dqkv, gradient);
      }
    }
  }); // prettier-ignore

  it("reads codes in place of floats, and frees them", async () => {
    const [length, heads, width] = [33, 2, 12];
    const shape = [2 * length, 3 * heads * width];
    const data = random("coded", sizeOf(shape));
    const { activation } = parsePolicy("lns-madam-8");
    if (!activation) throw new Error("the policy has no format of activations");
    const codes = (x: Tensor) => {
      const made = quantise(x, { ...activation, scale: "tensor" }, { channel: 0, reduction: 1 }, [1, 2]);
      if (!isCoded(made)) throw new Error("not coded");
      return made;
    };
    const held = device.backend.memory.bytes;
    const coded = await valueAndGradient(data, shape, (x) =>
      fusedCausalAttention(x, 2, heads, { operands: codes(x) }),
    );
    expect(device.backend.memory.bytes - held).toBeLessThanOrEqual(256 * 4 + 4096);
    const rounded = await device.step(() => readTensor(dequantise(codes(device.tensor(data, shape)))));
    const wanted = await valueAndGradient(Float32Array.from(rounded), shape, (x) =>
      fusedCausalAttention(x, 2, heads),
    );
    expectClose(coded[0], wanted[0]);
    expectClose(coded[1], wanted[1]);
    const exact = await valueAndGradient(data, shape, (x) => fusedCausalAttention(x, 2, heads));
    expect([...coded[0]]).not.toEqual([...exact[0]]);
  }); // prettier-ignore

  it("needs memory in proportion to the length", async () => {
    const peakOf = async (length: number) => {
      const own = new Device(await createWasmBackend({ threads: 1 }));
      await own.step(async () => {
        const qkv = { ...own.tensor(random("long", length * 24), [length, 24], FLOAT32), tracked: true };
        backward(mean(fusedCausalAttention(qkv, 1, 1)));
      });
      const { peakBytes } = own.backend.memory;
      await own.close();
      return peakBytes;
    };
    const [short, middle, long] = [await peakOf(512), await peakOf(1024), await peakOf(2048)];
    const [first, second] = [middle - short, long - middle];
    expect(second).toBeLessThan(2.2 * first);
    expect(long).toBeLessThan(2048 * 2048);
  });

  it("refuses shapes, codes and probabilities that do not fit", async () => {
    await device.step(() => {
      const qkv = device.tensor(random("x", 72), [6, 12]);
      expect(() => fusedCausalAttention(qkv, 4, 2)).toThrow(/rows must divide/);
      expect(() => fusedCausalAttention(qkv, 2, 3)).toThrow(/by the heads/);
      expect(() => fusedCausalAttention(qkv, 2, 2, { dropout: 1, key: [1, 2] })).toThrow(/wants 0 <= p < 1/);
      expect(() => fusedCausalAttention(qkv, 2, 2, { dropout: 0.5 })).toThrow(/without a key/);
      expect(() => fusedCrossAttention(qkv, qkv, 2, 2)).toThrow(/wants shape \[any, 24\]/);
    });
  });
});
