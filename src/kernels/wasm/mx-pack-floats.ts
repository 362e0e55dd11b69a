/** Blocks of float32, quantised while they are packed. */
import type { MxFromFloats } from "../mx-gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, words } from "./gemm-arguments.ts";
import { defineColumns, defineStage } from "./mx-pack-columns.ts";
import {
  blockBytes,
  pushAllLanes,
  pushCorrection,
  vectorsOf,
  type BlockPacker,
  type PanelLayout,
} from "./mx-panel.ts";
import { openQuantiser, type OpenQuantiser, type Quantiser, type Splats } from "./mx-quantise.ts";

/**
 * Rows of adjacent k are quantised row by row. Everything else is first copied to a stage, [k][place], where
 * also what is missing of the block is zero, and quantised four places at a time.
 */
export function defineFloatBlocks(
  module: Module,
  operand: MxFromFloats,
  layout: PanelLayout,
  pool: ConstantPool,
): BlockPacker {
  const rows = defineRows(module, operand, layout, pool);
  const stage = defineStage(module, layout);
  const columns = defineColumns(module, operand, layout, pool);
  return (code, s) => {
    code.get(s.deepStride).i32(4).op("i32.eq").get(s.left).i32(layout.block).op("i32.ge_s").op("i32.and");
    code.if(
      () => code.get(s.constants).get(s.from).get(s.wideStride).get(s.count).get(s.to).call(rows),
      () => {
        code
          .get(s.from)
          .get(s.wideStride)
          .get(s.deepStride)
          .get(s.count)
          .get(s.left)
          .get(s.stage)
          .call(stage);
        code.get(s.constants).get(s.stage).get(s.to).call(columns);
      },
    );
  };
}

/** Defines `rows(constants, from, wideStride, count, to)`. Rows beyond `count` repeat the last. */
function defineRows(module: Module, operand: MxFromFloats, layout: PanelLayout, pool: ConstantPool): Callee {
  const { width } = layout;
  return module.function(words(5), [], null, (code, constants, from, wideStride, count, to) => {
    const opened = openQuantiser(code, constants, operand, layout, pool);
    const place = code.local("i32");
    const row = code.local("i32");
    code.loop(() => {
      code.get(count).i32(1).op("i32.sub").set(row);
      code.get(place).get(row).get(place).get(row).op("i32.lt_s").op("select");
      code.get(wideStride).op("i32.mul").get(from).op("i32.add").set(row);
      packRow(code, opened, layout, row, to);
      add(code, to, 4);
      add(code, place, 1);
      code.get(place).i32(width).op("i32.lt_s").brIf(0);
    });
  });
}

/** One row of a block: its words go to places `width` words apart. */
function packRow(
  code: Code,
  { quantiser, splats }: OpenQuantiser,
  layout: PanelLayout,
  row: Local,
  to: Local,
): void {
  const { block, kind, width } = layout;
  const [inverse, factor, sum] = vectorsOf(code, 3);
  if (quantiser) {
    const largest = rowMaximum(code, quantiser, splats, row, block);
    quantiser.scales(largest, inverse, factor);
  }
  code.get(splats.bits(0)).set(sum);
  const out = code.local("v128");
  for (let k = 0; k < block; k += 16) {
    const parts = vectorsOf(code, 4);
    parts.forEach((part, i) => {
      code.get(row).memory("v128.load", (k + 4 * i) * 4);
      if (quantiser && kind === "f32") quantiser.values(inverse, factor);
      else if (quantiser) {
        quantiser.integers(inverse);
        code.get(splats.bits(quantiser.base)).op("i32x4.sub");
      }
      code.set(part);
    });
    const store = (vector: Local, word: number) => {
      for (let lane = 0; lane < 4; lane++)
        code
          .get(to)
          .get(vector)
          .memoryLane("v128.store32_lane", lane, (word + lane) * width * 4);
    };
    if (kind === "f32") {
      parts.forEach((part, i) => store(part, k + 4 * i));
      continue;
    }
    const [low, high] = vectorsOf(code, 2);
    code.get(parts[0]).get(parts[1]).op("i16x8.narrow_i32x4_s").set(low);
    code.get(parts[2]).get(parts[3]).op("i16x8.narrow_i32x4_s").set(high);
    if (layout.otherOffset > 0)
      code
        .get(low)
        .get(high)
        .op("i16x8.add")
        .get(splats.bits(0x10001))
        .op("i32x4.dot_i16x8_s")
        .get(sum)
        .op("i32x4.add")
        .set(sum);
    if (kind === "i8") {
      code.get(low).get(high).op("i8x16.narrow_i16x8_s").set(out);
      store(out, k / 4);
    } else {
      store(low, k / 2);
      store(high, k / 2 + 4);
    }
  }
  if (kind === "f32") return;
  code.get(to).get(factor).memoryLane("v128.store32_lane", 0, blockBytes(layout));
  if (layout.otherOffset === 0) return;
  code.get(to);
  pushAllLanes(code, sum, "i32x4.add").lane("i32x4.extract_lane", 0);
  pushCorrection(code, layout).memory("i32.store", blockBytes(layout) + width * 4);
}

/** max|x| of a row of a block, as bits, in every lane. */
function rowMaximum(code: Code, quantiser: Quantiser, splats: Splats, row: Local, block: number): Local {
  const largest = code.local("v128");
  code.get(splats.bits(0)).set(largest);
  for (let k = 0; k < block; k += 4) {
    code.get(row).memory("v128.load", k * 4);
    quantiser.widen(largest);
  }
  pushAllLanes(code, largest, "i32x4.max_s").set(largest);
  return largest;
}
