/**
 * Packing blocks: strips of an operand quantised or decoded into panels of small integers, or of float32
 * values.
 */
import type { MxOperand } from "../mx-gemm.ts";
import type { Callee, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import type { ColumnAxis } from "./gemm-gather.ts";
import { defineCodeBlocks } from "./mx-pack-codes.ts";
import { defineFloatBlocks } from "./mx-pack-floats.ts";
import { defineMxPackGathered } from "./mx-pack-gathered.ts";
import { defineValueBlock } from "./mx-pack-values.ts";
import { panelRecordBytes, type BlockPacker, type PanelLayout } from "./mx-panel.ts";

/**
 * Defines `pack(constants, source, wideStride, deepStride, wide, deep, panels, stripBytes, scales, scaleWide,
 * scaleDeep, stage)`, strides in bytes: strip s becomes a run of records at panels + s · stripBytes. Of a gathered
 * operand see `mx-pack-gathered.ts`.
 *
 * @param columns  the axis that the operand's columns lie along.
 */
export function defineMxPack(
  module: Module,
  operand: MxOperand,
  layout: PanelLayout,
  pool: ConstantPool,
  columns: ColumnAxis,
): Callee {
  if (operand.gathered) return defineMxPackGathered(module, operand, layout, pool, columns);
  const packBlock = defineBlock(module, operand, layout, pool);
  const { width, block } = layout;
  return module.function(words(12), [], null, (code, ...parameters) => {
    const [constants, source, wideStride, deepStride, wide, deep, panels, stripBytes] = parameters;
    const [, , , , , , , , scales, scaleWide, scaleDeep, stage] = parameters;
    const [count, from, left, to, scale, first] = Array.from({ length: 6 }, () => code.local("i32"));
    code.while(
      () => code.get(wide).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, wide, width).set(count);
        code.get(source).set(from).get(panels).set(to).get(scales).set(scale).get(deep).set(left);
        code.while(
          () => code.get(left).i32(0).op("i32.gt_s"),
          () => {
            packBlock(code, {
              constants, from, wideStride, deepStride, count, left, to, scale, scaleWide, first, stage,
            }); // prettier-ignore
            code.get(deepStride).i32(block).op("i32.mul").get(from).op("i32.add").set(from);
            add(code, to, panelRecordBytes(layout));
            add(code, scale, scaleDeep);
            add(code, left, -block);
          },
        );
        code.get(wideStride).i32(width).op("i32.mul").get(source).op("i32.add").set(source);
        code.get(scaleWide).i32(width).op("i32.mul").get(scales).op("i32.add").set(scales);
        add(code, panels, stripBytes);
        add(code, wide, -width);
      },
    );
  });
}

function defineBlock(
  module: Module,
  operand: MxOperand,
  layout: PanelLayout,
  pool: ConstantPool,
): BlockPacker {
  if (operand.source === "f32") return defineFloatBlocks(module, operand, layout, pool);
  return layout.kind === "f32"
    ? defineValueBlock(module, operand, layout, pool)
    : defineCodeBlocks(module, operand, layout, pool);
}
