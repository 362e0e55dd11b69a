/** How a product is cut: blocks, threads, workspace. Nothing here changes a bit of the result. */
import type { Call } from "../backend.ts";
import type { GemmKernel, GemmSizes } from "../gemm.ts";
import type { Variant } from "./gemm-micro.ts";
import { panelBytes, scaleBytes } from "./gemm-pack.ts";

/**
 * K of a block: a strip of B (256 × 16 floats) stays in the first-level cache. The same for every variant and every
 * path, for sums are made block by block and so depend on it.
 */
export const DEEP = 256;
/** M of a block: 192 × 256 floats of A stay in the second-level cache. */
const TALL = 192;
/** N of a block: 256 × 1024 floats of B stay in the third-level cache. */
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

/** How one call is cut. */
export interface Plan {
  /** All threads work on each product together (B's panels are shared); else each takes whole items. */
  readonly shared: boolean;
  /** Column ranges a product is cut into when it is not shared, and their width. */
  readonly splits: number;
  readonly splitColumns: number;
  /** Rows of a block of A. */
  readonly blockRows: number;
  /** Columns of a block of B. */
  readonly blockColumns: number;
  /** An operand is read where it lies, without packing. */
  readonly aDirect: boolean;
  readonly bDirect: boolean;
  /** Bytes of one block of packed A, of packed B, and of P where P is not written to C. */
  readonly aPanels: number;
  readonly bPanels: number;
  readonly product: number;
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Can P be written where `c` lies? Not when c has another type or is also read by the epilogue. */
export function inPlace(kernel: GemmKernel, call: Call): boolean {
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
  const { m, n, k } = sizes;
  const batches = (sizes.outer ?? 1) * (sizes.inner ?? 1);
  const flat = m <= 4 * variant.rows && n >= 2 * threads * variant.columns;
  const small = m * n * k <= SMALL;
  const shared = threads > 1 && batches < 2 * threads && !flat && !small;
  const splits = shared || batches >= 2 * threads ? 1 : columnSplits(n, batches, threads, variant);
  const splitColumns = roundUp(Math.ceil(n / splits), variant.columns);
  const team = shared ? threads : 1;
  const aDirect = kernel.a === "f32" && (splitColumns <= DIRECT_COLUMNS || m * k <= DIRECT_ELEMENTS);
  const contiguous = kernel.b === "f32" && sizes.b.column === 1;
  const bDirect = !shared && contiguous && (m <= DIRECT_ROWS || k * splitColumns <= DIRECT_ELEMENTS);
  const rowsEach = Math.ceil(m / team);
  const blocks = Math.max(1, Math.ceil(rowsEach / TALL));
  const blockRows = roundUp(Math.max(1, Math.ceil(rowsEach / blocks)), variant.rows);
  const blockColumns = Math.min(roundUp(WIDE - variant.columns + 1, variant.columns), splitColumns);
  const deep = Math.min(DEEP, k);
  return {
    shared,
    splits,
    splitColumns,
    blockRows,
    blockColumns,
    aDirect,
    bDirect,
    aPanels: aDirect ? 0 : aligned(panelBytes(1, deep) * blockRows),
    bPanels: bDirect ? 0 : aligned(panelBytes(1, deep) * blockColumns),
    product: inPlace(kernel, call) ? 0 : aligned(m * (shared ? n : splitColumns) * 4),
  };
}

/** Products of at most this many multiplications are not worth a barrier. */
const SMALL = 96 ** 3;
/** An operand that few strips of the other one use is not worth packing; nor is one that fits the first-level cache. */
const DIRECT_COLUMNS = 64;
const DIRECT_ROWS = 24;
const DIRECT_ELEMENTS = 64 * 64;

/** So many column ranges that every thread has one. */
function columnSplits(n: number, batches: number, threads: number, { columns }: Variant): number {
  const wanted = Math.ceil(threads / Math.max(1, batches));
  return Math.max(1, Math.min(wanted, Math.floor(n / columns)));
}

/** Bytes of workspace of a plan: see the layout in `gemm-product.ts`. */
export function workspaceBytes(plan: Plan, variant: Variant, threads: number): number {
  const { aPanels, bPanels, product, shared } = plan;
  const each = localLayout(variant).bytes + aPanels;
  return shared ? threads * each + product + 2 * bPanels : threads * (each + product + bPanels);
}
