/** Self-attention of sequences of different lengths in rows of one length: no token sees padding, and none is spent on it. */
import { pointwise } from "../kernels/pointwise.ts";
import { f32 } from "../kernels/program.ts";
import { output } from "../kernels/signature.ts";
import { philox4x32 } from "../random/philox.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Heads } from "./attention-layout.ts";
import {
  checkedDropout,
  type FusedAttentionOptions,
  headsAt,
  runAttention,
  type Slices,
} from "./fused-attention.ts";

const zero = pointwise("zero padding", {}, {}, () => ({ y: output("f32", f32(0)) }));

/** Writes zeros over rows `from` to `to` of a matrix. */
function clearRows(matrix: Tensor, from: number, to: number): void {
  const [, columns] = matrix.shape;
  if (from === to) return;
  const y = matrix.storage.slice(from * columns * 4);
  matrix.device.run(zero, { inputs: {}, outputs: { y }, sizes: { rows: 1, columns: (to - from) * columns } });
}

/**
 * As `fusedSelfAttention`, each sequence by itself over its own tokens. Results and gradients of padding are 0.
 *
 * @param qkv      [batch · length, 3 · heads · width], f32
 * @param lengths  tokens of each sequence, 1 to `length`; the rest of its rows is padding.
 * @returns [batch · length, heads · width]
 * @throws RangeError when `dropout` is outside [0, 1) or lacks its key.
 */
export function paddedAttention(
  qkv: Tensor,
  { batch, length, heads, width, causal }: Heads,
  lengths: ArrayLike<number>,
  options: FusedAttentionOptions = {},
): Tensor {
  checkedDropout(options);
  const { device } = qkv;
  const joined = heads * width;
  const y = device.empty([batch * length, joined]);
  const thirds = (tensor: Tensor, row: number): Slices => {
    const at = (third: number) => tensor.storage.slice((3 * row + third) * joined * 4);
    return { q: at(0), k: at(1), v: at(2) };
  };
  const rowOf = (tensor: Tensor, row: number) => tensor.storage.slice(row * joined * 4);
  const sequences = Array.from({ length: batch }, (_, i) => {
    const [first, tokens] = [i * length, lengths[i]];
    const third = headsAt(tokens, width, 3 * joined);
    const one = headsAt(tokens, width, joined);
    const strides = { q: third, k: third, v: third, y: one, dy: one, dq: third, dk: third, dv: third };
    const sizes = { outer: 1, inner: heads, queries: tokens, keys: tokens, width, causal, strides };
    const drop = { ...options, ...(options.key ? { key: keyOf(options.key, i) } : {}) };
    const made = runAttention(device, { ...thirds(qkv, first) }, rowOf(y, first), sizes, drop);
    clearRows(y, first + tokens, first + length);
    return { ...made, first, tokens };
  });
  const saved = sequences.map(({ lse }) => lse);
  return device.tape.record([qkv], y, saved, (dy) => {
    const dqkv = device.empty(qkv.shape);
    for (const { backward, first, tokens } of sequences) {
      backward(rowOf(dy, first), thirds(dqkv, first));
      clearRows(dqkv, first + tokens, first + length);
    }
    return [dqkv];
  });
}

/** Every sequence draws its own numbers. */
function keyOf(key: readonly [number, number], sequence: number): readonly [number, number] {
  const [a, b] = philox4x32([sequence, 0, 0, 0], key);
  return [a, b];
}
