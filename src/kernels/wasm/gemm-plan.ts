/** How a product is cut: blocks, threads, workspace. Nothing here changes a bit of the result. */
import type { Call } from "../backend.ts";
import type { GemmKernel, GemmSizes } from "../gemm.ts";
import type { Variant } from "./gemm-micro.ts";
import { OVERSHOOT } from "./gemm-gather.ts";
import { panelBytes } from "./gemm-pack.ts";
import { scaleBytes } from "./gemm-scale.ts";

/**
 * K of a block: a strip of B (256 × 16 floats) stays in the first-level cache. The same for every variant and
 * every path, for sums are made block by block and so depend on it.
 */
export const DEEP = 256;
/**
 * M of a block. Rows of A are packed just before they are used and are still in the first-level cache; of a
 * transposed A each line holds 16 rows, so that it pays to pack many: 192 × 256 floats stay in the
 * second-level cache.
 */
const TALL = 24;
const TALL_TRANSPOSED = 192;
/** N of a block: 256 × 512 floats of B stay in the second-level cache. */
const WIDE = 512;
/** Columns after which the epilogue runs over what is finished, still in cache. */
export const EPILOGUE_COLUMNS = 128;

/** Working memory of each thread besides its panels: see {@link localLayout}. */
const ALIGN = 64;
const aligned = (bytes: number): number => Math.ceil(bytes / ALIGN) * ALIGN;

/** Offsets in a thread's local memory. */
export function localLayout({ rows, columns }: Variant) {
  const aTable = 0;
  const bTable = 1024;
  const tile = 2048;
  const pattern = tile + aligned(rows * columns * 4);
  const edge = pattern + aligned(Math.max(scaleBytes(rows), scaleBytes(columns)));
  return { aTable, bTable, tile, pattern, edge, bytes: edge + aligned(panelBytes(rows, DEEP)) };
}

/** How one call is cut: each batch's product into rowSplits × columnSplits rectangles. */
export interface Plan {
  readonly rowSplits: number;
  readonly splitRows: number;
  readonly columnSplits: number;
  readonly splitColumns: number;
  /** Rows of a block of A. */
  readonly blockRows: number;
  /** Columns of a block of B. */
  readonly blockColumns: number;
  /** An operand is read where it lies, without packing. */
  readonly aDirect: boolean;
  readonly bDirect: boolean;
  /** Bytes a thread has for a block of packed A, of packed B, and for P where it is not written to C. */
  readonly aPanels: number;
  readonly bPanels: number;
  readonly product: number;
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Can P be written where `c` lies? Not when c has another type or is also read by the epilogue. */
export function inPlace(kernel: Pick<GemmKernel, "plain" | "inputs" | "outputs">, call: Call): boolean {
  if (kernel.plain) return true;
  if (kernel.outputs.c?.storage !== "f32") return false;
  const c = (call.outputs.c ?? call.inputs.c)?.buffer;
  for (const name in kernel.inputs) if (call.inputs[name].buffer === c) return false;
  for (const name in kernel.outputs)
    if (name !== "c" && (call.outputs[name] ?? call.inputs[name])?.buffer === c) return false;
  return true;
}

/** Plans a call for a number of threads. */
export function plan(kernel: GemmKernel, call: Call, variant: Variant, threads: number): Plan {
  const sizes = call.sizes as GemmSizes;
  const { m, n, k, outer = 1, inner = 1 } = sizes;
  const [rowSplits, columnSplits] = outer * inner >= 2 * threads ? [1, 1] : grid(m, n, threads, variant);
  const splitRows = roundUp(Math.ceil(m / rowSplits), variant.rows);
  const splitColumns = roundUp(Math.ceil(n / columnSplits), variant.columns);
  const aDirect = kernel.a === "f32" && (splitColumns <= DIRECT_COLUMNS || splitRows * k <= DIRECT_ELEMENTS);
  const contiguous = kernel.b === "f32" && sizes.b.column === 1;
  const bDirect = contiguous && (splitRows <= DIRECT_ROWS || k * splitColumns <= DIRECT_ELEMENTS);
  const blockRows = Math.min(roundUp(sizes.a.row === 1 ? TALL_TRANSPOSED : TALL, variant.rows), splitRows);
  const blockColumns = Math.min(roundUp(WIDE - variant.columns + 1, variant.columns), splitColumns);
  const deep = Math.min(DEEP, k);
  return {
    rowSplits,
    splitRows,
    columnSplits,
    splitColumns,
    blockRows,
    blockColumns,
    aDirect,
    bDirect,
    aPanels: aDirect ? 0 : aligned(panelBytes(1, deep) * blockRows + OVERSHOOT * variant.rows * 4),
    bPanels: bDirect ? 0 : aligned(panelBytes(1, deep) * blockColumns),
    product: inPlace(kernel, call) ? 0 : aligned(splitRows * splitColumns * 4),
  };
}

/**
 * An operand that few strips of the other one use is not worth packing; nor is one that fits the first-level
 * cache.
 */
const DIRECT_COLUMNS = 64;
const DIRECT_ROWS = 24;
const DIRECT_ELEMENTS = 64 * 64;

/**
 * Rows × columns of rectangles, one for each thread or fewer. A thread packs its rows of A once for every
 * WIDE columns and its columns of B once; the grid with which the busiest thread has the least to compute and
 * to pack is taken.
 */
function grid(m: number, n: number, threads: number, { rows, columns }: Variant): readonly [number, number] {
  let best: readonly [number, number] = [1, 1];
  let least = Infinity;
  for (let down = 1; down <= threads; down++) {
    const across = Math.floor(threads / down);
    const tall = roundUp(Math.ceil(m / down), rows);
    const wide = roundUp(Math.ceil(n / across), columns);
    const time = tall * wide + PACK_COST * (tall * Math.ceil(wide / WIDE) + wide);
    if (time < least) [best, least] = [[down, across], time];
  }
  return best;
}

/** Time to pack an element, in multiply-adds: 0.3 ns against 60 a nanosecond. */
const PACK_COST = 18;

/** Bytes of workspace of a plan: see the layout in `gemm-run.ts`. */
export function workspaceBytes(cut: Plan, variant: Variant, threads: number): number {
  return threads * (localLayout(variant).bytes + cut.product + cut.aPanels + cut.bPanels);
}
