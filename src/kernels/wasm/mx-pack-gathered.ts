/** Packing blocks of gathered operands: float32 through a stage, codes whose blocks lie in one piece as they are. */
import type { MxFromCodes, MxFromFloats, MxOperand } from "../mx-gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { defineGatheredStrip, moveInRun, type ColumnAxis } from "./gemm-gather.ts";
import { defineCodeRows, defineCodeScales } from "./mx-pack-codes.ts";
import { defineColumns, fillZeros, stagePitch } from "./mx-pack-columns.ts";
import { defineValueBlock } from "./mx-pack-values.ts";
import { panelRecordBytes, type BlockPacker, type PanelLayout } from "./mx-panel.ts";

/** One block of one strip. */
interface GatheredBlock {
  readonly constants: Local;
  readonly source: Local;
  readonly wideAt: Local;
  /** The offset of the block's first k, and those after it. */
  readonly deepAt: Local;
  readonly count: Local;
  readonly left: Local;
  readonly to: Local;
  readonly scales: Local;
  readonly run: Local;
  readonly phase: Local;
  readonly stage: Local;
}

/**
 * Defines `pack(constants, source, wideAt, deepAt, wide, deep, panels, stripBytes, scales, run, phase, stage)`: strips as
 * `defineMxPack`'s, from tables of offsets along both axes; see `definePackGathered`.
 */
export function defineMxPackGathered(
  module: Module,
  operand: MxOperand,
  layout: PanelLayout,
  pool: ConstantPool,
  columns: ColumnAxis,
): Callee {
  const { width, block } = layout;
  const packBlock =
    operand.source === "f32"
      ? stagedBlock(module, operand, layout, pool, columns)
      : codeBlock(module, operand, layout, pool);
  return module.function(words(12), [], null, (code, ...parameters) => {
    const [constants, source, wideAt, deepAt, wide, deep, panels, stripBytes] = parameters;
    const [, , , , , , , , scales, run, first, stage] = parameters;
    const [count, at, left, to, phase] = Array.from({ length: 5 }, () => code.local("i32"));
    code.while(
      () => code.get(wide).i32(0).op("i32.gt_s"),
      () => {
        pushMin(code, wide, width).set(count);
        code.get(deepAt).set(at).get(panels).set(to).get(deep).set(left).get(first).set(phase);
        code.while(
          () => code.get(left).i32(0).op("i32.gt_s"),
          () => {
            packBlock(code, { constants, source, wideAt, deepAt: at, count, left, to, scales, run, phase, stage });
            add(code, at, block * 4);
            add(code, to, panelRecordBytes(layout));
            add(code, left, -block);
            if (columns === "deep") moveInRun(code, phase, block, run);
          },
        );
        if (columns === "wide") moveInRun(code, first, width, run);
        add(code, wideAt, width * 4);
        add(code, panels, stripBytes);
        add(code, wide, -width);
      },
    );
  });
} // prettier-ignore

/** Gathered into a stage, [k][place], zeros behind its end; then quantised four places at a time. */
function stagedBlock(
  module: Module,
  operand: MxFromFloats,
  layout: PanelLayout,
  pool: ConstantPool,
  axis: ColumnAxis,
): (code: Code, block: GatheredBlock) => void {
  const { width, block } = layout;
  const pitch = stagePitch(width);
  const gather = defineGatheredStrip(module, width, pitch, axis);
  const quantise = defineColumns(module, operand, layout, pool);
  const stageBlock = module.function(words(8), [], null, (code, source, wideAt, deepAt, count, left, stage, run, phase) => {
    const [depth, end] = [code.local("i32"), code.local("i32")];
    pushMin(code, left, block).set(depth);
    code.get(source).get(wideAt).get(deepAt).get(count).get(depth).get(stage).get(run).get(phase).call(gather);
    code.get(stage).i32(pitch * block).op("i32.add").set(end);
    code.get(depth).i32(pitch).op("i32.mul").get(stage).op("i32.add").set(stage);
    fillZeros(code, stage, end, pitch);
  });
  return (code, b) => {
    code.get(b.source).get(b.wideAt).get(b.deepAt).get(b.count).get(b.left).get(b.stage).get(b.run).get(b.phase);
    code.call(stageBlock).get(b.constants).get(b.stage).get(b.to).call(quantise);
  };
} // prettier-ignore

/** Codes of a block, which are adjacent, and the scale where the block begins. */
function codeBlock(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): (code: Code, block: GatheredBlock) => void {
  const pack = layout.kind === "f32" ? defineValueBlock(module, operand, layout, pool) : smallIntegers(module, operand, layout, pool);
  return (code, b) => {
    const [first, from, one] = [code.local("i32"), code.local("i32"), code.local("i32")];
    code.get(b.deepAt).memory("i32.load").tee(first).get(b.source).op("i32.add").set(from).i32(1).set(one);
    const { constants, count, left, to, scales: scale, stage, wideAt } = b;
    pack(code, { constants, from, wideStride: wideAt, deepStride: one, count, left, to, scale, scaleWide: wideAt, first, stage });
  };
} // prettier-ignore

function smallIntegers(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): BlockPacker {
  const rows = defineCodeRows(module, operand, layout, pool);
  const scales = defineCodeScales(module, operand, layout, pool);
  return (code, s) => {
    code.get(s.constants).get(s.from).get(s.wideStride).get(s.count).get(s.to).call(rows);
    code.get(s.constants).get(s.scale).get(s.scaleWide).get(s.count).get(s.to).get(s.first).call(scales);
  };
}
