/** Blocks of codes, decoded to float32 while they are packed: elements that are no small integers. */
import { decodeElement, e8m0Values, elementBits } from "../mx-element.ts";
import type { MxFromCodes } from "../mx-gemm.ts";
import { Table } from "../program.ts";
import type { Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { takePlace, type BlockPacker, type PanelLayout } from "./mx-panel.ts";

/** k decoded a turn. */
const UNROLLED = 16;

/**
 * Place by place, k by k: table[code] · scale. k beyond the operand's end are zero, so that a block is whole;
 * places beyond `count` are left as they are. Gathered ones and their scales are found as in `mx-pack-gathered.ts`.
 */
export function defineValueBlock(
  module: Module,
  operand: MxFromCodes,
  { width, block }: PanelLayout,
  pool: ConstantPool,
): BlockPacker {
  const { element, scales = e8m0Values, gathered = false } = operand;
  const last = 2 ** elementBits(element);
  const values = pool.table(
    new Table(Float32Array.from({ length: 256 }, (_, code) => (code < last ? decodeElement(element, code) : 0))),
  );
  const factors = pool.table(new Table(scales));
  const callee = module.function(words(10), [], null, (code, ...parameters) => {
    const [constants, from, wide, deepStride, count, left, to, scale, scaleWide, first] = parameters;
    const [at, put, depth, rest, scaleAt] = Array.from({ length: 5 }, () => code.local("i32"));
    const factor = code.local("f32");
    pushMin(code, left, block).set(depth);
    code.loop(() => {
      if (gathered) {
        code.get(wide).set(scaleWide);
        takePlace(code, scaleAt, first, scaleWide, true);
        code.get(scaleAt).i32(Math.log2(block)).op("i32.shr_u").get(scale).op("i32.add").set(scaleAt);
      } else takePlace(code, scaleAt, scale, scaleWide, false);
      takePlace(code, at, from, wide, gathered);
      code.get(scaleAt).memory("i32.load8_u").i32(2).op("i32.shl").get(constants).op("i32.add");
      code.memory("f32.load", factors).set(factor);
      code.get(to).set(put).get(depth).set(rest);
      const value = (offset: number, place: number) => {
        code.get(put).get(at).memory("i32.load8_u", offset).i32(2).op("i32.shl").get(constants).op("i32.add");
        code.memory("f32.load", values).get(factor).op("f32.mul").memory("f32.store", place * width * 4);
      };
      /** So many k a turn, as long as there are as many; `adjacent` ones need no counting between. */
      const several = (turn: number, adjacent: boolean) =>
        code.while(
          () => code.get(rest).i32(turn).op("i32.ge_s"),
          () => {
            for (let k = 0; k < turn; k++) {
              value(adjacent ? k : 0, k);
              if (!adjacent) add(code, at, deepStride);
            }
            if (adjacent) add(code, at, turn);
            add(code, put, width * 4 * turn);
            add(code, rest, -turn);
          },
        );
      code.get(deepStride).i32(1).op("i32.eq");
      code.if(() => several(UNROLLED, true), () => several(UNROLLED, false));
      several(1, false);
      code.i32(block).get(depth).op("i32.sub").set(rest);
      code.while(
        () => code.get(rest),
        () => {
          code.get(put).f32(0).memory("f32.store");
          add(code, put, width * 4);
          add(code, rest, -1);
        },
      );
      add(code, to, 4);
      code.get(count).i32(1).op("i32.sub").tee(count).brIf(0);
    });
  });
  return (code, s) => {
    code.get(s.constants).get(s.from).get(s.wideStride).get(s.deepStride).get(s.count).get(s.left);
    code.get(s.to).get(s.scale).get(s.scaleWide).get(s.first).call(callee);
  };
} // prettier-ignore
