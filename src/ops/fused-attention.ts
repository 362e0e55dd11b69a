/** Multi-head attention by the fused kernel: no matrix of probabilities, forward or backward. */
import {
  attention,
  type AttentionKernel,
  type AttentionSizes,
  type AttentionStrides,
} from "../kernels/attention.ts";
import type { BufferSlice } from "../kernels/backend.ts";
import type { Key } from "../random/stream.ts";
import type { Device } from "../tensor/device.ts";
import { expectShape, isCoded, ShapeError, type CodedTensor, type Tensor } from "../tensor/tensor.ts";
import { tableOf } from "./product.ts";

interface Passes {
  readonly forward: AttentionKernel;
  readonly backward: AttentionKernel;
}

const passes = (name: string, options: Parameters<typeof attention>[2] = {}): Passes => ({
  forward: attention(name, "forward", options),
  backward: attention(`${name} gradient`, "backward", options),
});
const kernels = {
  f32: { kept: passes("attention"), dropped: passes("attention, dropout", { dropout: true }) },
  coded: {
    kept: passes("coded attention", { operands: "coded" }),
    dropped: passes("coded attention, dropout", { operands: "coded", dropout: true }),
  },
};

/** What the fused attentions can be told. */
export interface FusedAttentionOptions {
  /** Probability with which a probability of attention is dropped, 0 ≤ p < 1. Default 0. */
  readonly dropout?: number;
  /** Of the draws; one for every use and step. Wanted where `dropout` > 0. */
  readonly key?: Key;
}

/** A matrix of all heads: rows of a sequence one after another, `step` elements apart, heads side by side. */
export const headsAt = (rows: number, width: number, step: number): AttentionStrides => ({
  outer: rows * step,
  inner: width,
  row: step,
});

/** The buffers of query, key and value, or of their gradients. */
export interface Slices {
  readonly q: BufferSlice;
  readonly k: BufferSlice;
  readonly v: BufferSlice;
}

/** Runs forward; what it saved, and a function that runs backward. */
export function runAttention(
  device: Device,
  from: Readonly<Record<string, BufferSlice | Tensor>>,
  y: Tensor | BufferSlice,
  sizes: AttentionSizes,
  { dropout = 0, key = [0, 0] }: FusedAttentionOptions,
): { readonly lse: Tensor; readonly backward: (dy: Tensor | BufferSlice, to: Slices) => void } {
  const lse = device.empty([(sizes.outer ?? 1) * (sizes.inner ?? 1), sizes.queries]);
  const { forward, backward } = kernels["table" in from ? "coded" : "f32"][dropout > 0 ? "dropped" : "kept"];
  const draw = { key0: key[0], key1: key[1], threshold: Math.floor(dropout * 2 ** 32), gain: 1 / (1 - dropout) };
  const uniforms = { scale: 1 / Math.sqrt(sizes.width), ...(dropout > 0 ? draw : {}) };
  device.run(forward, { inputs: from, outputs: { y, lse }, uniforms, sizes });
  return {
    lse,
    backward(dy, { q: dq, k: dk, v: dv }) {
      device.run(backward, { inputs: { ...from, y, lse, dy }, outputs: { dq, dk, dv }, uniforms, sizes });
    },
  };
} // prettier-ignore

/** Query, key and value, or their gradients, inside one interleaved buffer. */
function thirds(tensor: Tensor, step: number): Slices {
  const bytes = isCoded(tensor) ? 1 : 4;
  const at = (third: number) => tensor.storage.slice(third * step * bytes);
  return { q: at(0), k: at(1), v: at(2) };
}

/** What decodes query, key and value; nothing for floats. */
function decoding(tensor: Tensor): Readonly<Record<string, Tensor>> {
  if (!isCoded(tensor)) return {};
  const { format, scale } = tensor.encoding;
  return { table: tableOf(tensor.device, format), qScale: scale, kScale: scale, vScale: scale };
}

/** What {@link fusedSelfAttention} can be told. */
export interface FusedCausalAttentionOptions extends FusedAttentionOptions {
  /**
   * `qkv` in codes of at most 8 bits with one scale, for both passes to read in its place; the gradient goes to `qkv`
   * all the same. It and its scale are freed after the backward pass. Default: `qkv` itself is read, and kept.
   */
  readonly operands?: CodedTensor;
}

/** {@link fusedSelfAttention} in which a query sees the keys up to its own place. */
export const fusedCausalAttention = (
  qkv: Tensor,
  batch: number,
  heads: number,
  options: FusedCausalAttentionOptions = {},
): Tensor => fusedSelfAttention(qkv, batch, heads, true, options);

/**
 *   y = softmax(Q Kᵀ / √width) V, each head by itself
 *
 * What is kept for the backward pass grows with the length, not with its square: y, and the logarithm of each row's sum
 * of exponentials; backward computes probabilities again, tile by tile. Takes and gives what `causalAttention` does.
 *
 * @param qkv    [batch · length, 3 · heads · width], f32: query, key, value side by side, heads inside each
 * @param batch  number of sequences
 * @param heads  number of heads
 * @param causal  whether a query sees the keys up to its own place only, or all of its sequence
 * @returns [batch · length, heads · width]
 * @throws ShapeError when the sizes do not divide, or `operands` has another shape or other codes.
 * @throws RangeError when `dropout` is outside [0, 1) or lacks its key.
 * @source Vaswani et al. 2017, Attention is all you need, equation 1; Dao et al. 2022, FlashAttention.
 */
export function fusedSelfAttention(
  qkv: Tensor,
  batch: number,
  heads: number,
  causal: boolean,
  options: FusedCausalAttentionOptions = {},
): Tensor {
  expectShape("fusedSelfAttention", qkv, null, null);
  checkedDropout(options);
  const { operands } = options;
  if (operands) expectOperands(operands, qkv);
  const [rows, columns] = qkv.shape;
  const [length, width] = [rows / batch, columns / (3 * heads)];
  expectWhole("fusedSelfAttention", qkv, length, width, `${batch} sequences and ${heads} heads`);
  const { device } = qkv;
  const joined = heads * width;
  const third = headsAt(length, width, 3 * joined);
  const one = headsAt(length, width, joined);
  const strides = { q: third, k: third, v: third, y: one, dy: one, dq: third, dk: third, dv: third };
  const sizes = { outer: batch, inner: heads, queries: length, keys: length, width, causal, strides };
  const y = device.empty([rows, joined]);
  const read = operands ?? qkv;
  const { lse, backward } = runAttention(
    device,
    { ...thirds(read, joined), ...decoding(read) },
    y,
    sizes,
    options,
  );
  const saved = operands ? [lse, operands, operands.encoding.scale] : [lse];
  return device.tape.record([qkv], y, saved, (dy) => {
    const dqkv = device.empty(qkv.shape);
    backward(dy, thirds(dqkv, joined));
    return [dqkv];
  });
}

/**
 *   y = softmax(Q Kᵀ / √width) V, each head by itself, every query seeing every key
 *
 * @param q      [batch · queries, heads · width], f32
 * @param kv     [batch · keys, 2 · heads · width], f32: key and value side by side, heads inside each
 * @param batch  number of sequences
 * @param heads  number of heads
 * @returns [batch · queries, heads · width]
 * @throws ShapeError when the sizes do not divide; RangeError when `dropout` is outside [0, 1) or lacks its key.
 * @source Vaswani et al. 2017, Attention is all you need, section 3.2.3.
 */
export function fusedCrossAttention(
  q: Tensor,
  kv: Tensor,
  batch: number,
  heads: number,
  options: FusedAttentionOptions = {},
): Tensor {
  expectShape("fusedCrossAttention", q, null, null);
  expectShape("fusedCrossAttention", kv, null, 2 * q.shape[1]);
  checkedDropout(options);
  const [queries, keys] = [q.shape[0] / batch, kv.shape[0] / batch];
  const joined = q.shape[1];
  const width = joined / heads;
  expectWhole("fusedCrossAttention", q, queries, width, `${batch} sequences and ${heads} heads`);
  expectWhole("fusedCrossAttention", kv, keys, width, `${batch} sequences and ${heads} heads`);
  const { device } = q;
  const one = headsAt(queries, width, joined);
  const half = headsAt(keys, width, 2 * joined);
  const strides = { q: one, k: half, v: half, y: one, dy: one, dq: one, dk: half, dv: half };
  const sizes = { outer: batch, inner: heads, queries, keys, width, causal: false, strides };
  const slices = (query: Tensor, pair: Tensor): Slices => ({
    q: query.storage.slice(),
    k: pair.storage.slice(),
    v: pair.storage.slice(joined * 4),
  });
  const y = device.empty(q.shape);
  const { lse, backward } = runAttention(device, { ...slices(q, kv) }, y, sizes, options);
  return device.tape.record([q, kv], y, [lse], (dy) => {
    const [dq, dkv] = [device.empty(q.shape), device.empty(kv.shape)];
    backward(dy, slices(dq, dkv));
    return [dq, dkv];
  });
}

/** @throws RangeError when `dropout` is outside [0, 1) or lacks its key. */
export function checkedDropout(options: FusedAttentionOptions): FusedAttentionOptions {
  const { dropout = 0, key } = options;
  if (!(dropout >= 0 && dropout < 1))
    throw new RangeError(`logrung: attention dropout of ${dropout}, wants 0 <= p < 1`);
  if (dropout > 0 && !key) throw new RangeError(`logrung: attention dropout of ${dropout} without a key`);
  return options;
}

function expectOperands({ shape, encoding }: CodedTensor, qkv: Tensor): void {
  const same = shape.length === 2 && shape.every((size, axis) => size === qkv.shape[axis]);
  if (same && encoding.format.bits <= 8 && !encoding.packed && encoding.scaleAxis === null) return;
  throw new ShapeError(
    `logrung: fusedSelfAttention of [${qkv.shape.join(", ")}] with operands [${shape.join(", ")}] in ` +
      `${encoding.format.name}: wants unpacked codes of the same shape, at most 8 bits and one scale`,
  );
}

function expectWhole(operation: string, x: Tensor, length: number, width: number, what: string): void {
  if (Number.isInteger(length) && Number.isInteger(width) && length > 0 && width > 0) return;
  throw new ShapeError(
    `logrung: ${operation} of [${x.shape.join(", ")}] with ${what}: rows must divide by the sequences, ` +
      `the columns of a matrix by the heads`,
  );
}
