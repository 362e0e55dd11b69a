/** The macro-kernel of float32: strips by strides, or packed. */
import type { Callee, Code, Module } from "./assembler.ts";
import { pushMin } from "./gemm-arguments.ts";
import { defineEdge, defineMicro, type Variant } from "./gemm-micro.ts";
import { defineMacroKernel, type Tile } from "./macro-kernel.ts";

/**
 * Defines the macro-kernel (see `defineMacroKernel`) of a variant; it also takes aRow, aDeep and bDeep, the strides of
 * strips in bytes. Where they are those of panels, the micro-kernel that knows them is called.
 */
export function defineMacro(module: Module, variant: Variant): Callee {
  const { rows, columns } = variant;
  const strided = defineMicro(module, variant, false, null);
  const packed = defineMicro(module, variant, true, null);
  const edge = defineEdge(module, columns * 4);
  const operands = (code: Code, { depth, a, b, rest: [aRow, aDeep, bDeep] }: Tile): Code =>
    code.get(depth).get(a).get(aRow).get(aDeep).get(b).get(bDeep);
  return defineMacroKernel(module, {
    rows,
    columns,
    rest: 3,
    prepare: (code, { rest: [aRow, aDeep, bDeep] }) => {
      const panels = code.local("i32");
      code.get(aDeep).i32(rows * 4).op("i32.eq").get(aRow).i32(4).op("i32.eq").op("i32.and");
      code.get(bDeep).i32(columns * 4).op("i32.eq").op("i32.and").set(panels);
      return panels;
    },
    whole: (code, tile, panels) => {
      const call = (micro: Callee) =>
        operands(code, tile).get(tile.p).get(tile.pRow).get(tile.accumulate).call(micro);
      if (panels) code.get(panels).if(() => call(packed), () => call(strided));
    },
    part: (code, tile) => {
      operands(code, tile).get(tile.scratch).i32(columns * 4).i32(0).call(strided);
      pushMin(code, tile.rows, rows).get(tile.columns).get(tile.scratch);
      code.get(tile.p).get(tile.pRow).get(tile.accumulate).call(edge);
    },
  });
} // prettier-ignore
