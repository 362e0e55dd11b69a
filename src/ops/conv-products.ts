/** The three products of a convolution, on tensors in any encoding; not recorded on the tape. */
import type { BufferSlice } from "../kernels/backend.ts";
import { gemm, type GemmKernel, type GemmSizes } from "../kernels/gemm.ts";
import { output, perColumn } from "../kernels/signature.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { multiplyBlocks, type BlockOperand } from "./block-product.ts";
import { pixelsOf, type ConvGeometry } from "./conv-geometry.ts";
import {
  columnsAsRows,
  matchingBlocks,
  mirroredKernel,
  patchesAlongPixels,
  patchesInBlocks,
  patchesOf,
  rowsAsColumns,
  runsAlong,
  type GroupedOperand,
} from "./conv-operands.ts";
import { gradientField, inputField } from "./conv-tables.ts";
import type { WeightedOperand } from "./weighted.ts";

const forward = gemm("convolution", "gathered", "f32");
const biased = gemm(
  "convolution with bias",
  "gathered",
  "f32",
  { bias: perColumn("f32") },
  {},
  (p, { bias }) => ({
    c: output("f32", p.add(bias)),
  }),
);
const ofWeights = gemm("convolution weight gradient", "f32", "gathered");
const ofInput = gemm("convolution input gradient", "gathered", "gathered");

/** Sizes of a group's product; strides are the operands'. */
type Sizes = Pick<GemmSizes, "m" | "n" | "k" | "c">;

/** From element `offset` on. */
const from = (tensor: Tensor, offset: number): BufferSlice => tensor.storage.slice(4 * offset);

/** The product of each group, and then its operands freed. */
function multiplyGroups(
  kernel: GemmKernel,
  groups: number,
  [a, b]: readonly [GroupedOperand, GroupedOperand],
  sizes: Sizes,
  to: (group: number) => { readonly c: BufferSlice; readonly bias?: BufferSlice },
): void {
  for (let g = 0; g < groups; g++) {
    const [left, right] = [a.of(g), b.of(g)];
    const { c, bias } = to(g);
    if (!multiplyBlocks(left, right, bias ?? null, c, sizes))
      multiplyFloats(kernel, left, right, bias, c, sizes);
  }
  a.free();
  b.free();
}

function multiplyFloats(
  kernel: GemmKernel,
  a: BlockOperand,
  b: BlockOperand,
  bias: BufferSlice | undefined,
  c: BufferSlice,
  sizes: Sizes,
): void {
  a.tensor.device.run(kernel, {
    inputs: { ...inputsOf("a", a), ...inputsOf("b", b), ...(bias && { bias }) },
    outputs: { c },
    sizes: { ...sizes, a: a.lies, b: b.lies },
  });
}

const inputsOf = (name: "a" | "b", { tensor, at = 0, tables }: BlockOperand) => ({
  [name]: from(tensor, at),
  ...(tables && { [`${name}Rows`]: tables.rows, [`${name}Columns`]: tables.columns }),
});

/**
 *   y[n, oy, ox, o] = b[o] + Σ over ky, kx, c of x[n, oy·s + ky·d - p, ox·s + kx·d - p, c] · w[o, ky, kx, c]
 *
 * Blocks run along (ky, kx, c) of patches and weights; those of x that are codes already, along the channels of a pixel.
 *
 * @param x  [pixels of the input, channels]
 * @param w  [output channels, kernel height · kernel width · input channels of a group]
 * @param b  [output channels] or null
 * @returns [pixels of the output, output channels]
 */
export function convolve(x: WeightedOperand, w: Tensor, b: Tensor | null, geometry: ConvGeometry): Tensor {
  const { device } = x.tensor;
  const { input, output: out, groups, depth } = geometry;
  const y = device.empty([pixelsOf(out), out.channels]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const weights = { tensor: w };
  const inBlocks = matchingBlocks(x, weights) && patchesInBlocks(x, inGroup) && runsAlong(weights, 1);
  const operands = [
    patchesOf(x, inputField(device, geometry), inGroup, inBlocks),
    rowsAsColumns(w, outGroup, inBlocks),
  ] as const;
  const sizes = { m: pixelsOf(out), n: outGroup, k: depth, c: { row: out.channels } };
  multiplyGroups(b ? biased : forward, groups, operands, sizes, (g) => ({
    c: from(y, g * outGroup),
    ...(b && { bias: from(b, g * outGroup) }),
  }));
  return y;
}

/**
 *   dw[o, ky, kx, c] = Σ over n, oy, ox of dy[n, oy, ox, o] · x[n, oy·s + ky·d - p, ox·s + kx·d - p, c]
 *
 * Blocks run along the pixels of dy. The patches of codes are rounded once more, as their blocks are not those of the
 * image: windows are shifted against each other.
 *
 * @returns as w of {@link convolve}
 */
export function convolveWeights(dy: WeightedOperand, x: WeightedOperand, geometry: ConvGeometry): Tensor {
  const { device } = dy.tensor;
  const { input, output: out, groups, depth } = geometry;
  const dw = device.empty([out.channels, depth]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const roundable = x.blocks !== undefined || x.tensor.encoding.kind !== "blocked";
  const inBlocks = roundable && matchingBlocks(dy, x) && runsAlong(dy, 0);
  const operands = [
    columnsAsRows(dy, outGroup, inBlocks),
    patchesAlongPixels(x, inputField(device, geometry), inGroup, inBlocks),
  ] as const;
  const sizes = { m: outGroup, n: depth, k: pixelsOf(out), c: { row: depth } };
  multiplyGroups(ofWeights, groups, operands, sizes, (g) => ({ c: from(dw, g * outGroup * depth) }));
  return dw;
}

/**
 *   dx[n, iy, ix, c] = Σ over ky, kx, o of dy[n, (iy + p - ky·d) / s, (ix + p - kx·d) / s, o] · w[o, ky, kx, c],
 *   where the quotients are whole and inside the output
 *
 * As a convolution of dy, spread by the stride, with the mirrored kernel; blocks run along (ky, kx, o) of both.
 *
 * @returns [pixels of the input, input channels]
 */
export function convolveInput(dy: WeightedOperand, w: WeightedOperand, geometry: ConvGeometry): Tensor {
  const { device } = dy.tensor;
  const { input, output: out, kernel, groups, depth } = geometry;
  const field = gradientField(device, geometry);
  const dx = device.empty([pixelsOf(input), input.channels]);
  const [inGroup, outGroup] = [input.channels / groups, out.channels / groups];
  const plain = w.tensor.encoding.kind !== "blocked";
  const inBlocks = matchingBlocks(dy, w) && patchesInBlocks(dy, outGroup) && plain;
  const operands = [
    patchesOf(dy, field, outGroup, inBlocks),
    mirroredKernel(w, field.kernel, outGroup * depth, inBlocks),
  ] as const;
  const sizes = {
    m: pixelsOf(input),
    n: inGroup,
    k: kernel[0] * kernel[1] * outGroup,
    c: { row: input.channels },
  };
  multiplyGroups(ofInput, groups, operands, sizes, (g) => ({ c: from(dx, g * inGroup) }));
  return dx;
}
