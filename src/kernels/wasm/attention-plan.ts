/** How attention is cut into tiles and shared out, and the memory that takes. */
import type { AttentionKernel, AttentionSizes } from "../attention.ts";
import type { AttentionWord } from "./attention-arguments.ts";
import { STATE_BYTES } from "./attention-rows.ts";
import { SCORE_ROW, TABLE_BYTES } from "./attention-tile.ts";
import type { Variant } from "./gemm-micro.ts";
import { panelBytes } from "./gemm-pack.ts";

/** Queries of a tile: with fewer, packing weighs more; with more, more is computed above a causal diagonal. */
const TILE_ROWS = 24;
/** Keys of a block: a strip of values of as many rows stays in the first-level cache, as in `gemm`. */
const KEY_BLOCK = 256;
/** Elements of K in a block: with V, their panels and the scores they stay in the second-level cache. */
const KEY_ELEMENTS = 16 * 1024;
/** Items a thread, where a batch's queries are shared out: under a causal mask the first ones are short. */
const ITEMS_PER_THREAD = 4;
/** Products of a tile: in backward five give all gradients, three that of Q, four those of K and V. */
const PRODUCTS = { all: 5, apart: 3 + 4 } as const;

/** How one call is cut. Tiles and blocks follow from the sizes alone. */
export interface AttentionPlan {
  readonly tileRows: number;
  readonly keyBlock: number;
  readonly splits: number;
  readonly splitRows: number;
  /** In backward, parts of the keys whose gradients are computed apart from that of Q; 0: together. */
  readonly keySplits: number;
  readonly splitKeys: number;
  readonly items: number;
  /** Bytes of workspace of a thread, and where its parts lie. */
  readonly threadBytes: number;
  readonly places: Readonly<Partial<Record<AttentionWord, number>>>;
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

export function planAttention(
  kernel: AttentionKernel,
  sizes: AttentionSizes,
  variant: Variant,
  threads: number,
): AttentionPlan {
  const { keys, width } = sizes;
  const tileRows = variant.rows * Math.floor(TILE_ROWS / variant.rows);
  const fitting = Math.max(16, Math.floor(KEY_ELEMENTS / width / 16) * 16);
  const keyBlock = Math.min(KEY_BLOCK, fitting, roundUp(keys, 16));
  const shares = shareOut(kernel, sizes, tileRows, keyBlock, threads);
  const layout = layoutOf(kernel, sizes, variant, tileRows, keyBlock, shares.splitRows, shares.keySplits);
  return { tileRows, keyBlock, ...shares, ...layout };
}

type Shares = Pick<AttentionPlan, "splits" | "splitRows" | "keySplits" | "splitKeys" | "items">;

function shareOut(
  kernel: AttentionKernel,
  { outer = 1, inner = 1, queries, keys }: AttentionSizes,
  tileRows: number,
  keyBlock: number,
  threads: number,
): Shares {
  const batches = outer * inner;
  const whole = { splits: 1, splitRows: queries, keySplits: 0, splitKeys: keys, items: batches };
  const wanted = Math.ceil((ITEMS_PER_THREAD * threads) / Math.max(1, batches));
  const [rowTiles, keyBlocks] = [Math.ceil(queries / tileRows), Math.ceil(keys / keyBlock)];
  const splitRows = tileRows * Math.ceil(rowTiles / Math.min(rowTiles, wanted));
  const splits = Math.ceil(queries / splitRows);
  if (kernel.pass === "forward")
    return batches >= ITEMS_PER_THREAD * threads
      ? whole
      : { ...whole, splits, splitRows, items: batches * splits };
  const together = Math.ceil(batches / threads) * PRODUCTS.all;
  if (together <= (batches / threads) * PRODUCTS.apart) return whole;
  const splitKeys = keyBlock * Math.ceil(keyBlocks / Math.min(keyBlocks, wanted));
  const keySplits = Math.ceil(keys / splitKeys);
  return { splits, splitRows, keySplits, splitKeys, items: batches * (splits + keySplits) };
}

function layoutOf(
  kernel: AttentionKernel,
  { queries, width }: AttentionSizes,
  { rows, columns }: Variant,
  tileRows: number,
  keyBlock: number,
  splitRows: number,
  keySplits: number,
): Pick<AttentionPlan, "threadBytes" | "places"> {
  const backward = kernel.pass === "backward";
  const keysAcross = panelBytes(1, width) * roundUp(keyBlock, columns);
  const keysDown = panelBytes(1, keyBlock) * roundUp(width, columns);
  const scores = tileRows * SCORE_ROW * 4;
  const parts: Partial<Record<AttentionWord, number>> = {
    atTile: rows * columns * 4,
    atTables: kernel.operands === "coded" ? 3 * TABLE_BYTES : 0,
    atLeft: panelBytes(1, width) * tileRows,
    atKeys: keysAcross,
    atValues: backward ? keysAcross : keysDown,
    atKeyRows: backward ? keysDown : 0,
    atQueryRows: backward ? panelBytes(1, tileRows) * roundUp(width, columns) : 0,
    atScores: scores,
    atGradients: backward ? scores : 0,
    atState: backward ? 4 * (keySplits > 0 ? queries : splitRows) : STATE_BYTES * splitRows,
  };
  let threadBytes = 0;
  const places: Partial<Record<AttentionWord, number>> = {};
  for (const [name, bytes] of Object.entries(parts)) {
    places[name as AttentionWord] = threadBytes;
    threadBytes += roundUp(bytes, 64);
  }
  return { threadBytes, places };
}
