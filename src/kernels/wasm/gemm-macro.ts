/** The loops next to the micro-kernel: a packed block of A times a packed block of B, tile by tile. */
import type { Callee, Module } from "./assembler.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { defineEdge, defineMicro, type Variant } from "./gemm-micro.ts";

/**
 * Defines `macro(rows, columns, depth, a, aRow, aDeep, aStrip, b, bDeep, bStrip, p, pRow, accumulate, tile)`:
 * a block of A times a block of B. A few strips of A at a time stay in the first-level cache while strips of
 * B stream past from the second, each used by all of them before the next. So C is walked along a few rows,
 * which the processor's prefetcher follows: wasm has no prefetch instruction.
 */
export function defineMacro(module: Module, variant: Variant): Callee {
  const { rows: tall, columns: wide } = variant;
  const tiles = defineTiles(module, variant);
  const group = tall * Math.floor(GROUP_ROWS / tall);
  return module.function(words(14), [], null, (code, ...parameters) => {
    const [rows, columns, depth, ...operands] = parameters;
    const [a, aRow, aDeep, aStrip, b, bDeep, bStrip, p, pRow, accumulate, tile] = operands;
    const left = code.local("i32");
    const count = code.local("i32");
    const bj = code.local("i32");
    const pj = code.local("i32");
    code.while(
      () => code.get(rows).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, rows, group).set(count);
        code.get(columns).set(left).get(b).set(bj).get(p).set(pj);
        code.while(
          () => code.get(left).i32(0).op("i32.gt_s"),
          () => {
            code.get(count);
            pushMin(code, left, wide).get(depth).get(a).get(aRow).get(aDeep).get(aStrip).get(bj).get(bDeep);
            code.get(pj).get(pRow).get(accumulate).get(tile).call(tiles);
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
 * Rows of A that share a strip of B: 24 × 256 floats beside 16 × 256 fill a first-level cache of 48 KiB, or
 * spill a bit of 32.
 */
const GROUP_ROWS = 24;

/**
 * Defines `tiles(rows, columns, depth, a, aRow, aDeep, aStrip, b, bDeep, p, pRow, accumulate, tile)`: a few
 * strips of A times one strip of B, of which `columns` are real. Tiles that reach over the edge are computed
 * whole, in `tile`, and moved in part.
 */
function defineTiles(module: Module, variant: Variant): Callee {
  const { rows: tall, columns: wide } = variant;
  const strided = defineMicro(module, variant, false, null);
  const packed = defineMicro(module, variant, true, null);
  const edge = defineEdge(module, wide * 4);
  return module.function(words(13), [], null, (code, ...parameters) => {
    const [rows, columns, depth, a, aRow, aDeep, aStrip, b, bDeep, p, pRow, accumulate, tile] = parameters;
    const panels = code.local("i32");
    code.get(aDeep).i32(tall * 4).op("i32.eq").get(aRow).i32(4).op("i32.eq").op("i32.and");
    code.get(bDeep).i32(wide * 4).op("i32.eq").op("i32.and").set(panels);
    const operands = () => code.get(depth).get(a).get(aRow).get(aDeep).get(b).get(bDeep);
    const whole = () => operands().get(p).get(pRow).get(accumulate);
    const part = () => {
      operands().get(tile).i32(wide * 4).i32(0).call(strided);
      pushMin(code, rows, tall).get(columns).get(tile).get(p).get(pRow).get(accumulate).call(edge);
    };
    code.loop(() => {
      code.get(rows).i32(tall).op("i32.ge_s").get(columns).i32(wide).op("i32.eq").op("i32.and");
      code.if(() => code.get(panels).if(() => whole().call(packed), () => whole().call(strided)), part);
      add(code, a, aStrip);
      code.get(p).get(pRow).i32(tall).op("i32.mul").op("i32.add").set(p);
      add(code, rows, -tall);
      code.get(rows).i32(0).op("i32.gt_s").brIf(0);
    });
  });
} // prettier-ignore
