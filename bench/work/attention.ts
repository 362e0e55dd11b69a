/** Attention to time: the fused kernel, and the same of products and a softmax. */
import { headsOf } from "../../src/ops/attention-layout.ts";
import { fusedCausalAttention } from "../../src/ops/fused-attention.ts";
import { quantisedAttention } from "../../src/ops/quantised-attention.ts";
import { parsePolicy } from "../../src/precision/parse-policy.ts";
import type { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { mean } from "../../src/ops/mean.ts";
import { normals } from "../peers/protocol.ts";

const float32 = { policy: parsePolicy("fp32"), key: () => [1, 2] as const };

/** The path of policies that round the products' operands, rounding nothing. */
const composed = (qkv: Tensor, batch: number, heads: number): Tensor =>
  quantisedAttention(qkv, headsOf(qkv.shape, batch, heads, true), float32);

/** The two ways. */
export const ways = { composed, fused: fusedCausalAttention } as const;
export type Way = keyof typeof ways;

/** Heads of the GPT of the benchmarks, and their width. */
const HEADS = 4;
const WIDTH = 64;
/** Tokens of a batch: so many sequences as make that many, at least one. */
const TOKENS = 1024;

/** Sequences of a batch. */
export const sequences = (length: number): number => Math.max(1, TOKENS / length);

/** Query, key and value of a batch, kept. */
export function batchOf(device: Device, length: number): Tensor {
  const shape = [sequences(length) * length, 3 * HEADS * WIDTH];
  return { ...device.keep(device.tensor(normals(length, shape[0] * shape[1]), shape)), tracked: true };
}

/** Forward alone, nothing kept for a backward pass. */
export const forward = (device: Device, way: Way, qkv: Tensor, length: number) => (): Promise<void> =>
  device.step(() => {
    ways[way]({ ...qkv, tracked: false }, sequences(length), HEADS);
  });

/** Forward, the mean of the result, and backward. */
export const both = (device: Device, way: Way, qkv: Tensor, length: number) => (): Promise<void> =>
  device.step(() => {
    backward(mean(ways[way](qkv, sequences(length), HEADS)));
  });
