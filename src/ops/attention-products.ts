/** Products of all heads at once. */
import type { BufferSlice } from "../kernels/backend.ts";
import { gemm, type GemmKernel, type GemmOperand } from "../kernels/gemm.ts";
import { isCoded, type CodedTensor, type Tensor } from "../tensor/tensor.ts";
import { operandAt, type HeadOperand, type Heads, type Layout } from "./attention-layout.ts";
import { multiplyBlocks, type BlockOperand } from "./block-product.ts";
import { tableOf } from "./product.ts";
import { dequantise } from "./quantise.ts";

/** A side of a product: matrices and how they lie, read as they are or transposed. */
export interface HeadSide extends HeadOperand {
  readonly layout: Layout;
  readonly transposed?: boolean;
}

/**
 * C = A·B for every head of every sequence.
 *
 * Sides in blocks along the sum are multiplied as such, those of small integers in integers; codes of a byte
 * at one scale are decoded while panels are packed, others into the step's memory before.
 *
 * @param left, right  those with `blocks` beside one in blocks of the same length, or in none.
 * @param to     float32
 * @param sizes  m, n and k.
 */
export function multiplyHeads(
  h: Heads,
  left: HeadSide,
  right: HeadSide,
  to: { readonly tensor: Tensor; readonly layout: Layout },
  [m, n, k]: readonly [number, number, number],
): void {
  const sideOf = (side: HeadSide) => operandAt(h, side, side.layout, side.transposed ?? false);
  const { outer, inner, row, width, at } = to.layout(h, h.length);
  const c = to.tensor.storage.slice(4 * at * width);
  const lies = { outer: outer * width, inner: inner * width, row: row * width };
  const sizes = { outer: h.batch, inner: h.heads, m, n, k, c: lies };
  if (multiplyBlocks(sideOf(left), sideOf(right), null, c, sizes)) return;
  const readable = [left, right].map((side) => ({ ...side, tensor: inGemm(side.tensor) }));
  const [a, b] = readable.map(sideOf);
  const { device } = to.tensor;
  device.run(kernelOf(a.tensor, b.tensor), {
    inputs: { ...inputsOf("a", a), ...inputsOf("b", b) },
    outputs: { c },
    sizes: { ...sizes, a: a.lies, b: b.lies },
  });
  for (const [i, side] of [left, right].entries())
    if (readable[i].tensor !== side.tensor) device.free(readable[i].tensor);
}

/** Codes of a byte at one scale, which `gemm` decodes while it packs them. */
const isByteCoded = (x: Tensor): x is CodedTensor =>
  isCoded(x) && !x.encoding.packed && x.encoding.scaleAxis === null && x.encoding.format.bits <= 8;

/** A tensor as `gemm` takes it; decoded into the step's memory where it is neither float32 nor codes of a byte. */
const inGemm = (x: Tensor): Tensor => (isByteCoded(x) ? x : dequantise(x));

const kernels = new Map<string, GemmKernel>();

function kernelOf(a: Tensor, b: Tensor): GemmKernel {
  const [left, right] = [a, b].map((x): GemmOperand => (isByteCoded(x) ? "coded" : "f32"));
  const name = `attention product ${left} ${right}`;
  const kernel = kernels.get(name) ?? gemm(name, left, right);
  kernels.set(name, kernel);
  return kernel;
}

function inputsOf(name: "a" | "b", { tensor, at = 0 }: BlockOperand): Record<string, Tensor | BufferSlice> {
  if (!isByteCoded(tensor)) return { [name]: tensor.storage.slice(4 * at) };
  const { format, scale } = tensor.encoding;
  const table = tableOf(tensor.device, format);
  return { [name]: tensor.storage.slice(at), [`${name}Table`]: table, [`${name}Scale`]: scale };
}
