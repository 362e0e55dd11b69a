/** Attention to time: the fused kernel, and the same of products and a softmax. */
import { causalAttention } from "../../src/ops/attention.ts";
import { fusedCausalAttention } from "../../src/ops/fused-attention.ts";
import type { Device } from "../../src/tensor/device.ts";
import { backward } from "../../src/tensor/tape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { mean } from "../../src/ops/mean.ts";
import { normals } from "../peers/protocol.ts";

/** The two ways. */
export const ways = { composed: causalAttention, fused: fusedCausalAttention } as const;
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
