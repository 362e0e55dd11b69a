/** The `attention` shape: softmax(scale · Q Kᵀ + mask) V and its gradients, without a matrix of probabilities. */
import type { Uniforms } from "./signature.ts";

/** `coded`: one byte an element, standing for table[code] · scale; decoded while it is packed. */
export type AttentionOperand = "f32" | "coded";

/**
 * For each outer o and inner i (a sequence and a head):
 *
 *   Sᵣ꜀ = scale · Σ_d Q[r, d] K[c, d], c ≤ r + keys - queries where causal;   P = softmax of each row of S
 *   M = 1, or with dropout gain · (bits(e) ≥ threshold), e = ((o · inner + i) · queries + r) · keys + c, mod 2³²
 *
 *   forward    Y = (P ∘ M) V;   lse[o, i, r] = ln Σ꜀ exp Sᵣ꜀
 *   backward   dV = (P ∘ M)ᵀ dY;   dS = P ∘ (M ∘ dY Vᵀ - rowsum(dY ∘ Y));   dQ = scale · dS K;   dK = scale · dSᵀ Q
 *
 * Forward reads `q`, `k`, `v` and writes `y`, `lse`. Backward reads these five and `dy`, and writes `dq`, `dk`, `dv`.
 * All f32; with coded operands q, k and v are u8, and there are `table` (f32[256]) and `qScale`, `kScale`, `vScale`
 * (f32 each). Uniforms: `scale`; with dropout `key0`, `key1`, `threshold` and `gain`. Working memory grows with the
 * length, not with its square: backward computes P again, tile by tile, from `lse`.
 *
 * @source Dao et al. 2022, FlashAttention, algorithms 1 and 4; Milakov and Gimelshein 2018, Online normalizer
 *   calculation for softmax, algorithm 3.
 */
export interface AttentionKernel {
  readonly shape: "attention";
  readonly name: string;
  readonly pass: "forward" | "backward";
  readonly operands: AttentionOperand;
  readonly dropout: boolean;
  /** None besides the buffers named above. */
  readonly inputs: Readonly<Record<string, never>>;
  readonly uniforms: Uniforms;
  /** Those of its buffers that lie by strides. */
  readonly matrices: readonly AttentionMatrix[];
}

/** Where element (outer o, inner i, row r, column c) lies: o · outer + i · inner + r · row + c, in elements. */
export interface AttentionStrides {
  readonly outer?: number;
  readonly inner?: number;
  readonly row: number;
}

/** The buffers that lie by strides, [queries or keys, width] each; `lse` is dense. */
export type AttentionMatrix = (typeof MATRICES)[number];
const MATRICES = ["q", "k", "v", "y", "dy", "dq", "dk", "dv"] as const;

export interface AttentionSizes {
  readonly outer?: number;
  readonly inner?: number;
  /** Rows of q and y, at least 1. */
  readonly queries: number;
  /** Rows of k and v, at least 1; where causal, at least as many as queries, the last of each at the same place. */
  readonly keys: number;
  /** Columns of q, k, v and y, at least 1. */
  readonly width: number;
  readonly causal: boolean;
  /** Strides of each matrix; those of gradients are for backward only. */
  readonly strides: Readonly<Partial<Record<AttentionMatrix, AttentionStrides>>>;
}

/** What {@link attention} can be told. */
export interface AttentionOptions {
  /** Default `f32`. */
  readonly operands?: AttentionOperand;
  /** Whether probabilities are dropped. Default false. */
  readonly dropout?: boolean;
}

/**
 * Describes an attention kernel.
 *
 * @example const forward = attention("attention", "forward");
 */
export function attention(
  name: string,
  pass: "forward" | "backward",
  { operands = "f32", dropout = false }: AttentionOptions = {},
): AttentionKernel {
  const draw = { key0: "u32", key1: "u32", threshold: "u32", gain: "f32" } as const;
  const uniforms: Uniforms = dropout ? { scale: "f32", ...draw } : { scale: "f32" };
  const matrices = pass === "forward" ? MATRICES.slice(0, 4) : MATRICES;
  return { shape: "attention", name, pass, operands, dropout, inputs: {}, uniforms, matrices };
}

/** A buffer of an attention kernel. */
export interface AttentionBuffer {
  readonly name: string;
  readonly role: "input" | "output";
  /** Of an element. */
  readonly bytes: number;
}

/** Every buffer that a kernel wants. */
export function attentionBuffers({ pass, operands }: AttentionKernel): AttentionBuffer[] {
  const coded = operands === "coded";
  const list = (role: "input" | "output", bytes: number, ...names: string[]) =>
    names.map((name): AttentionBuffer => ({ name, role, bytes }));
  return [
    ...list("input", coded ? 1 : 4, "q", "k", "v"),
    ...list("input", 4, ...(coded ? ["table", "qScale", "kScale", "vScale"] : [])),
    ...(pass === "forward" ? list("output", 4, "y", "lse") : list("input", 4, "y", "lse", "dy")),
    ...list("output", 4, ...(pass === "forward" ? [] : ["dq", "dk", "dv"])),
  ];
}

/** Rows of a matrix. */
export const attentionRows = (name: string, { queries, keys }: AttentionSizes): number =>
  name === "k" || name === "v" || name === "dk" || name === "dv" ? keys : queries;

/** Elements from a buffer's start to the end of its last one. */
export function attentionExtent(name: string, sizes: AttentionSizes): number {
  const { outer = 1, inner = 1, queries, width } = sizes;
  if (outer * inner === 0) return 0;
  if (name === "table") return 256;
  if (name === "lse") return outer * inner * queries;
  const strides = sizes.strides[name as AttentionMatrix];
  if (!strides) return 1;
  const batches = (outer - 1) * (strides.outer ?? 0) + (inner - 1) * (strides.inner ?? 0);
  return batches + (attentionRows(name, sizes) - 1) * strides.row + width;
}

/**
 * Checks the sizes of a call.
 *
 * @throws TypeError when a size or the strides of a matrix are missing.
 * @throws RangeError when a size is no count, or there is a row that sees no key.
 */
export function checkAttentionSizes(kernel: AttentionKernel, sizes: AttentionSizes): void {
  checkCount(kernel, "queries", sizes?.queries, 1);
  checkCount(kernel, "keys", sizes.keys, 1);
  checkCount(kernel, "width", sizes.width, 1);
  checkCount(kernel, "outer", sizes.outer ?? 1, 0);
  checkCount(kernel, "inner", sizes.inner ?? 1, 0);
  for (const name of kernel.matrices) {
    const strides = sizes.strides?.[name];
    checkCount(kernel, "row", strides?.row, 0, name);
    checkCount(kernel, "outer", strides?.outer ?? 0, 0, name);
    checkCount(kernel, "inner", strides?.inner ?? 0, 0, name);
  }
  if (sizes.causal && sizes.keys < sizes.queries)
    throw new RangeError(
      `logrung: kernel "${kernel.name}": ${sizes.keys} keys for ${sizes.queries} queries, causal: the first queries would see no key`,
    );
}

/** Of a size, or of a matrix's strides. */
function checkCount(
  kernel: AttentionKernel,
  size: string,
  value: number | undefined,
  least: number,
  matrix?: AttentionMatrix,
): void {
  if (Number.isSafeInteger(value) && Number(value) >= least) return;
  const at = `logrung: kernel "${kernel.name}": size "${matrix ? `strides.${matrix}.` : ""}${size}"`;
  if (value === undefined) throw new TypeError(`${at} is missing`);
  throw new RangeError(`${at} is ${value}, wants a count of at least ${least}`);
}
