/**
 * How a product of blocks is cut: panels, K and N of a block, threads. Nothing here changes a bit of the
 * result.
 */
import type { Call } from "../backend.ts";
import { sumsIntegers, type MxGemmKernel, type MxGemmSizes, type MxOperand } from "../mx-gemm.ts";
import type { Variant } from "./gemm-micro.ts";
import { DEEP, inPlace } from "./gemm-plan.ts";
import {
  offsetOf,
  PANEL_SLACK,
  panelElementBytes,
  panelRecordBytes,
  STAGE_BYTES,
  type PanelLayout,
} from "./mx-panel.ts";
import type { MxMethod, MxVariant } from "./mx-micro.ts";

/** The panels of a kernel, and the micro-kernel they are for: of integer blocks, or of float32. */
export interface MxShape {
  readonly integer: MxVariant | null;
  readonly float: Variant;
  readonly rows: number;
  readonly columns: number;
  readonly a: PanelLayout;
  readonly b: PanelLayout;
  /** K of a block of panels. */
  readonly deep: number;
}

/**
 * Bytes of a strip's run in k: with a strip of B of 16 columns and a few rows of A in the first-level
 * cache.
 */
const DEEP_BYTES = 512;

/** The methods whose integers hold a kernel's sums; none where its sums are of float32. */
export function methodsOf(
  kernel: Pick<MxGemmKernel, "a" | "b" | "block">,
  relaxedSimd: boolean,
): readonly MxMethod[] {
  if (!sumsIntegers(kernel)) return [];
  const [a, b] = [offsetOf(kernel.a), offsetOf(kernel.b)];
  if (!relaxedSimd || 2 * b > SEVEN_BITS || 4 * a * b > SIXTEEN_BITS) return ["plain"];
  const methods: MxMethod[] = ["dot"];
  if (8 * a * b <= SIXTEEN_BITS) methods.push("pairs");
  if (kernel.block * a * b <= SIXTEEN_BITS) methods.push("sums");
  return methods;
}

/** The largest right operand of a relaxed product, and the largest sum of two of them. */
const SEVEN_BITS = 127;
const SIXTEEN_BITS = 32_767;

/** The panels of a kernel for micro-kernels. */
export function shapeOf(kernel: MxGemmKernel, integer: MxVariant | null, float: Variant): MxShape {
  const { rows, columns } = integer ?? float;
  const kind = integer === null ? "f32" : integer.method === "plain" ? "i16" : "i8";
  const offset = kind === "i8" ? offsetOf(kernel.b) : 0;
  const halfCorrection = integer?.method === "sums";
  const common = { kind, block: kernel.block, halfCorrection } as const;
  return {
    integer,
    float,
    rows,
    columns,
    a: { ...common, width: rows, offset: 0, otherOffset: offset },
    b: { ...common, width: columns, offset, otherOffset: 0 },
    deep: kind === "f32" ? DEEP : kind === "i16" ? DEEP_BYTES / 2 : DEEP_BYTES,
  };
}

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Offsets in a thread's local memory. */
export function mxLocalLayout({ rows, columns }: MxShape) {
  const stage = aligned(rows * columns * 4);
  return { tile: 0, stage, bytes: stage + aligned(STAGE_BYTES + PANEL_SLACK) };
}

export interface MxPlan {
  readonly rowSplits: number;
  readonly splitRows: number;
  readonly columnSplits: number;
  readonly splitColumns: number;
  readonly blockRows: number;
  readonly blockColumns: number;
  readonly aPanels: number;
  readonly bPanels: number;
  readonly product: number;
}

/** M of a block: a few strips; many where each line of A holds 16 rows, to use it while it is near. */
const TALL = 24;
const TALL_TRANSPOSED = 96;
/** Bytes of a block of packed B, in the second-level cache. */
const WIDE_BYTES = 512 * 1024;

/** Plans a call for a number of threads. */
export function mxPlan(kernel: MxGemmKernel, call: Call, shape: MxShape, threads: number): MxPlan {
  const sizes = call.sizes as MxGemmSizes;
  const { m, n, k, outer = 1, inner = 1 } = sizes;
  const deepest = Math.ceil(Math.min(k, shape.deep) / kernel.block);
  const wide = WIDE_BYTES / (shape.deep * panelElementBytes(shape.b));
  const [rowSplits, columnSplits] =
    outer * inner >= 2 * threads ? [1, 1] : grid(kernel, m, n, wide, threads, shape);
  const splitRows = roundUp(Math.ceil(m / rowSplits), shape.rows);
  const splitColumns = roundUp(Math.ceil(n / columnSplits), shape.columns);
  const tall = sizes.a.row === 1 ? TALL_TRANSPOSED : TALL;
  const blockRows = Math.min(roundUp(tall - shape.rows + 1, shape.rows), splitRows);
  const blockColumns = Math.min(roundUp(wide - shape.columns + 1, shape.columns), splitColumns);
  const panels = (layout: PanelLayout, places: number): number =>
    aligned((places / layout.width) * deepest * panelRecordBytes(layout) + PANEL_SLACK);
  return {
    rowSplits,
    splitRows,
    columnSplits,
    splitColumns,
    blockRows,
    blockColumns,
    aPanels: panels(shape.a, blockRows),
    bPanels: panels(shape.b, blockColumns),
    product: inPlace(kernel, call) ? 0 : aligned(splitRows * splitColumns * 4),
  };
} // prettier-ignore

/** Bytes of workspace of a plan. */
export const mxWorkspaceBytes = (cut: MxPlan, shape: MxShape, threads: number): number =>
  threads * (mxLocalLayout(shape).bytes + cut.product + cut.aPanels + cut.bPanels);

/**
 * Time to pack an element, in multiply-adds: about a nanosecond against a hundred, or a third of that for
 * codes.
 */
const packCost = ({ source }: MxOperand): number => (source === "f32" ? 100 : 30);

/** Rows × columns of rectangles, as in `gemm-plan.ts`; packing weighs more here. */
function grid(
  kernel: MxGemmKernel,
  m: number,
  n: number,
  block: number,
  threads: number,
  { rows, columns }: MxShape,
): readonly [number, number] {
  let best: readonly [number, number] = [1, 1];
  let least = Infinity;
  for (let down = 1; down <= threads; down++) {
    const across = Math.floor(threads / down);
    const tall = roundUp(Math.ceil(m / down), rows);
    const wide = roundUp(Math.ceil(n / across), columns);
    const packing = packCost(kernel.a) * tall * Math.ceil(wide / block) + packCost(kernel.b) * wide;
    const time = tall * wide + packing;
    if (time < least) [best, least] = [[down, across], time];
  }
  return best;
}
