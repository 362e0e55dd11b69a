/** The macro-kernel of integer blocks. */
import type { Callee, Module } from "./assembler.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { defineMacroKernel } from "./macro-kernel.ts";
import { defineMxMicro, type MxVariant } from "./mx-micro.ts";

/**
 * Defines the macro-kernel (see `defineMacroKernel`) of a variant; its depth is in blocks. Of tiles that reach over the edge
 * what P holds is moved to the scratch memory and back, for sums are made block by block.
 */
export function defineMxMacro(module: Module, of: MxVariant, block: number): Callee {
  const { rows, columns } = of;
  const micro = defineMxMicro(module, of, block, null);
  const move = defineMove(module);
  const pitch = columns * 4;
  return defineMacroKernel(module, {
    rows,
    columns,
    rest: 0,
    whole: (code, { depth, a, b, p, pRow, accumulate }) =>
      code.get(depth).get(a).get(b).get(p).get(pRow).get(accumulate).call(micro),
    part: (code, { rows: left, columns: wide, depth, a, b, p, pRow, accumulate, scratch }) => {
      const some = code.local("i32");
      pushMin(code, left, rows).set(some);
      code.get(accumulate);
      code.if(() => code.get(some).get(wide).get(p).get(pRow).get(scratch).i32(pitch).call(move));
      code.get(depth).get(a).get(b).get(scratch).i32(pitch).get(accumulate).call(micro);
      code.get(some).get(wide).get(scratch).i32(pitch).get(p).get(pRow).call(move);
    },
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
