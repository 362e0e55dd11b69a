/** The loops next to a micro-kernel: a packed block of A times a packed block of B, tile by tile. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";

/**
 * Rows of A that share a strip of B: 24 × 256 floats beside 16 × 256 fill a first-level cache of 48 KiB, or
 * spill a bit of 32.
 */
const GROUP_ROWS = 24;

/** A tile to compute, all locals. */
export interface Tile {
  /** Rows and columns of P that are left from here on: a tile may reach over them. */
  readonly rows: Local;
  readonly columns: Local;
  /** What the micro-kernel counts: k, or blocks of it. */
  readonly depth: Local;
  /** The strips of A and of B. */
  readonly a: Local;
  readonly b: Local;
  readonly p: Local;
  readonly pRow: Local;
  readonly accumulate: Local;
  /** Memory for a whole tile. */
  readonly scratch: Local;
  /** What the caller passes on to the micro-kernel besides. */
  readonly rest: readonly Local[];
}

/** How tiles are computed. */
export interface TileWriter {
  readonly rows: number;
  readonly columns: number;
  /** Number of {@link Tile.rest}. */
  readonly rest: number;
  /** What is worked out once for the tiles of a strip of B; its result is handed to `whole`. */
  readonly prepare?: (code: Code, tile: Tile) => Local;
  /** Writes a tile that lies inside P. */
  readonly whole: (code: Code, tile: Tile, prepared: Local | null) => void;
  /** Writes one that reaches over its edge: computed whole, in `scratch`, and moved in part. */
  readonly part: (code: Code, tile: Tile) => void;
}

/**
 * Defines `macro(rows, columns, depth, a, aStrip, b, bStrip, p, pRow, accumulate, scratch, …rest)`: a few strips of A at a
 * time stay in the first-level cache while strips of B stream past from the second, each used by all of them before the
 * next. So C is walked along a few rows, which the processor's prefetcher follows: wasm has no prefetch instruction.
 */
export function defineMacroKernel(module: Module, writer: TileWriter): Callee {
  const { rows: tall, columns: wide } = writer;
  const tiles = defineTiles(module, writer);
  const group = tall * Math.floor(GROUP_ROWS / tall);
  return module.function(words(11 + writer.rest), [], null, (code, ...parameters) => {
    const [rows, columns, depth, a, aStrip, b, bStrip, p, pRow, accumulate, scratch, ...rest] = parameters;
    const [left, count, bj, pj] = Array.from({ length: 4 }, () => code.local("i32"));
    code.while(
      () => code.get(rows).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, rows, group).set(count);
        code.get(columns).set(left).get(b).set(bj).get(p).set(pj);
        code.while(
          () => code.get(left).i32(0).op("i32.gt_s"),
          () => {
            code.get(count);
            pushMin(code, left, wide);
            for (const local of [depth, a, aStrip, bj, pj, pRow, accumulate, scratch, ...rest]) code.get(local);
            code.call(tiles);
            add(code, bj, bStrip);
            add(code, pj, wide * 4);
            add(code, left, -wide);
          },
        );
        code.get(a).get(aStrip).i32(group / tall).op("i32.mul").op("i32.add").set(a);
        code.get(p).get(pRow).i32(group).op("i32.mul").op("i32.add").set(p);
        add(code, rows, -group);
      },
    );
  });
} // prettier-ignore

/** Defines `tiles(rows, columns, depth, a, aStrip, b, p, pRow, accumulate, scratch, …rest)`: strips of A times one of B. */
function defineTiles(module: Module, writer: TileWriter): Callee {
  const { rows: tall, columns: wide } = writer;
  return module.function(words(10 + writer.rest), [], null, (code, ...parameters) => {
    const [rows, columns, depth, a, aStrip, b, p, pRow, accumulate, scratch, ...rest] = parameters;
    const tile: Tile = { rows, columns, depth, a, b, p, pRow, accumulate, scratch, rest };
    const prepared = writer.prepare?.(code, tile) ?? null;
    code.loop(() => {
      code.get(rows).i32(tall).op("i32.ge_s").get(columns).i32(wide).op("i32.eq").op("i32.and");
      code.if(
        () => writer.whole(code, tile, prepared),
        () => writer.part(code, tile),
      );
      add(code, a, aStrip);
      code.get(p).get(pRow).i32(tall).op("i32.mul").op("i32.add").set(p);
      add(code, rows, -tall);
      code.get(rows).i32(0).op("i32.gt_s").brIf(0);
    });
  });
} // prettier-ignore
