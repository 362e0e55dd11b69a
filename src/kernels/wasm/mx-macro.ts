/** The loops next to the micro-kernel of integer blocks: a packed block of A times a packed block of B. */
import type { Callee, Code, Local, Module } from "./assembler.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { defineMxMicro, type MxVariant } from "./mx-micro.ts";

/** Rows of A that stay in the first-level cache while strips of B stream past. */
const GROUP_ROWS = 24;

/**
 * Defines `macro(rows, columns, blocks, a, aStrip, b, bStrip, p, pRow, accumulate, tile)`: a few strips of A
 * at a time, against every strip of B. Tiles that reach over the edge are moved to `tile` and back.
 */
export function defineMxMacro(module: Module, of: MxVariant, block: number): Callee {
  const { rows: tall, columns: wide } = of;
  const tiles = defineTiles(module, of, block);
  const group = tall * Math.floor(GROUP_ROWS / tall);
  return module.function(words(11), [], null, (code, ...parameters) => {
    const [rows, columns, blocks, a, aStrip, b, bStrip, p, pRow, accumulate, tile] = parameters;
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
            pushMin(code, left, wide).get(blocks).get(a).get(aStrip).get(bj).get(pj).get(pRow);
            code.get(accumulate).get(tile).call(tiles);
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

/**
 * Defines `tiles(rows, columns, blocks, a, aStrip, b, p, pRow, accumulate, tile)`: strips of A times one
 * of B.
 */
function defineTiles(module: Module, of: MxVariant, block: number): Callee {
  const { rows: tall, columns: wide } = of;
  const micro = defineMxMicro(module, of, block, null);
  const move = defineMove(module);
  return module.function(words(10), [], null, (code, ...parameters) => {
    const [rows, columns, blocks, a, aStrip, b, p, pRow, accumulate, tile] = parameters;
    const some = code.local("i32");
    const edge = () => {
      pushMin(code, rows, tall).set(some);
      code.get(accumulate);
      code.if(() => code.get(some).get(columns).get(p).get(pRow).get(tile).i32(wide * 4).call(move));
      code.get(blocks).get(a).get(b).get(tile).i32(wide * 4).get(accumulate).call(micro);
      code.get(some).get(columns).get(tile).i32(wide * 4).get(p).get(pRow).call(move);
    };
    code.loop(() => {
      code.get(rows).i32(tall).op("i32.ge_s").get(columns).i32(wide).op("i32.eq").op("i32.and");
      code.if(() => code.get(blocks).get(a).get(b).get(p).get(pRow).get(accumulate).call(micro), edge);
      add(code, a, aStrip);
      code.get(p).get(pRow).i32(tall).op("i32.mul").op("i32.add").set(p);
      add(code, rows, -tall);
      code.get(rows).i32(0).op("i32.gt_s").brIf(0);
    });
  });
} // prettier-ignore

/**
 * Defines `move(rows, columns, from, fromRow, to, toRow)`: copies floats, four at a time while there are
 * four.
 */
function defineMove(module: Module): Callee {
  return module.function(words(6), [], null, (code, rows, columns, from, fromRow, to, toRow) => {
    const [left, source, target] = Array.from({ length: 3 }, () => code.local("i32"));
    const advance = (count: number) => {
      add(code, source, count * 4);
      add(code, target, count * 4);
      add(code, left, -count);
    };
    code.loop(() => {
      code.get(from).set(source).get(to).set(target).get(columns).set(left);
      code.while(
        () => code.get(left).i32(4).op("i32.ge_s"),
        () => {
          code.get(target).get(source).memory("v128.load").memory("v128.store");
          advance(4);
        },
      );
      code.while(
        () => code.get(left),
        () => {
          code.get(target).get(source).memory("f32.load").memory("f32.store");
          advance(1);
        },
      );
      add(code, from, fromRow);
      add(code, to, toRow);
      code.get(rows).i32(1).op("i32.sub").tee(rows).brIf(0);
    });
  });
}

/** Writes the call of a macro-kernel, whatever its panels hold. */
export type Macro = (code: Code, arguments_: MacroArguments) => void;

/** A packed block of A, one of B, and where their product goes. */
export interface MacroArguments {
  readonly rows: Local;
  readonly columns: Local;
  /** K-blocks in the panels. */
  readonly blocks: Local;
  readonly a: Local;
  readonly aStrip: Local;
  readonly b: Local;
  readonly bStrip: Local;
  readonly p: Local;
  readonly pRow: Local;
  readonly accumulate: Local;
  readonly tile: () => void;
}
