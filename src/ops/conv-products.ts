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
  type OfGroup,
} from "./conv-operands.ts";
import { gradientTables, inputTables, spreadTo } from "./conv-tables.ts";
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

/** The product of each group. */
function multiplyGroups(
  kernel: GemmKernel,
  groups: number,
  [a, b]: readonly [OfGroup, OfGroup],
  sizes: Sizes,
  to: (group: number) => { readonly c: BufferSlice; readonly bias?: BufferSlice },
): void {
  for (let g = 0; g < groups; g++) {
    const { c, bias } = to(g);
    if (!multiplyBlocks(a(g), b(g), bias ?? null, c, sizes))
      multiplyFloats(kernel, a(g), b(g), bias, c, sizes);
  }
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
  const { field, patches } = inputTables(device, geometry);
  const left = patchesOf(x, field, inGroup, inBlocks);
  const right = rowsAsColumns(w, outGroup, inBlocks);
  const sizes = { m: pixelsOf(out), n: outGroup, k: depth, c: { row: out.channels } };
  multiplyGroups(b ? biased : forward, groups, [left.by(patches), right.of], sizes, (g) => ({
    c: from(y, g * outGroup),
    ...(b && { bias: from(b, g * outGroup) }),
  }));
  left.free();
  right.free();
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
  const { field, patches } = inputTables(device, geometry);
  const left = columnsAsRows(dy, outGroup, inBlocks);
  const right = patchesAlongPixels(x, field, inGroup, inBlocks);
  const sizes = { m: outGroup, n: depth, k: pixelsOf(out), c: { row: depth } };
  const to = (g: number) => ({ c: from(dw, g * outGroup * depth) });
  multiplyGroups(ofWeights, groups, [left.of, right.by(patches)], sizes, to);
  left.free();
  right.free();
  return dw;
}

/**
 *   dx[n, iy, ix, c] = Σ over ky, kx, o of dy[n, (iy + p - ky·d) / s, (ix + p - kx·d) / s, o] · w[o, ky, kx, c],
 *   where the quotients are whole and inside the output
 *
 * As convolutions of dy with the taps of the mirrored kernel that reach the pixels of each phase of the stride; blocks run
 * along (ky, kx, o) of both.
 *
 * @returns [pixels of the input, input channels]
 */
export function convolveInput(dy: WeightedOperand, w: WeightedOperand, geometry: ConvGeometry): Tensor {
  const { device } = dy.tensor;
  const { input, output: out, groups, depth } = geometry;
  const { field, phases, places } = gradientTables(device, geometry);
  const { channels } = input;
  const [inGroup, outGroup] = [channels / groups, out.channels / groups];
  const plain = w.tensor.encoding.kind !== "blocked";
  const inBlocks = matchingBlocks(dy, w) && patchesInBlocks(dy, outGroup) && plain;
  const left = patchesOf(dy, field, outGroup, inBlocks);
  const right = mirroredKernel(w, outGroup * depth, inBlocks);
  const pixels = phases.reduce((sum, { patches }) => sum + patches.rows.shape[0], 0);
  const dx = device.empty([pixels, channels]);
  let first = 0;
  for (const { patches, kernel } of phases) {
    const [m, k] = [patches.rows.shape[0], patches.columns.shape[0]];
    const to = (g: number) => ({ c: from(dx, first * channels + g * inGroup) });
    const sizes = { m, n: inGroup, k, c: { row: channels } };
    multiplyGroups(ofInput, groups, [left.by(patches), right.by(kernel)], sizes, to);
    first += m;
  }
  left.free();
  right.free();
  if (!places) return dx;
  const placed = spreadTo(dx, places);
  device.free(dx);
  return placed;
}
