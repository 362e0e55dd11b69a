/** Blocks of codes, decoded to small integers while they are packed. */
import { decodeElement, e8m0Values, elementBits, unitBits } from "../mx-element.ts";
import type { MxFromCodes } from "../mx-gemm.ts";
import { Table } from "../program.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import {
  blockBytes,
  pushAllLanes,
  pushCorrection,
  takePlace,
  vectorsOf,
  type BlockPacker,
  type PanelLayout,
} from "./mx-panel.ts";
import { Splats } from "./mx-quantise.ts";

/** Offset in the pool of what scale codes stand for, in units of the element's finest step. */
export function poolScales(pool: ConstantPool, { element, scales = e8m0Values }: MxFromCodes): number {
  return pool.table(new Table(scales.map((value) => value * 2 ** -unitBits(element))));
}

/** Bytes to 16-bit integers, eight and eight. */
const EXTENSIONS = ["i16x8.extend_low_i8x16_s", "i16x8.extend_high_i8x16_s"] as const;

/** Sixteen codes to sixteen integers: whole bytes as they are, others by tables of 16 entries each. */
class Decoder {
  private readonly code: Code;
  private readonly tables: readonly Local[];
  private readonly splats: Splats;

  constructor(code: Code, pool: ConstantPool, constants: Local, operand: MxFromCodes, layout: PanelLayout) {
    const { element } = operand;
    const bits = elementBits(element);
    const unit = 2 ** unitBits(element);
    const whole = element.kind === "integer" && bits === 8;
    const count = whole ? 0 : Math.max(16, 2 ** bits);
    const integers = Int8Array.from({ length: count }, (_, c) =>
      c < 2 ** bits ? decodeElement(element, c) * unit + layout.offset : 0,
    );
    const quads = new Int32Array(integers.buffer);
    this.code = code;
    this.splats = new Splats(code, pool, constants);
    this.tables = Array.from({ length: count / 16 }, (_, i) => {
      const table = code.local("v128");
      const at = pool.vector([quads[i * 4], quads[i * 4 + 1], quads[i * 4 + 2], quads[i * 4 + 3]]);
      code.get(constants).memory("v128.load", at).set(table);
      return table;
    });
    this.splats.bits(0x10101010);
  } // prettier-ignore

  /** Replaces the codes in `v`. Numbers beyond a table give 0, so that all tables can be asked. */
  decode(v: Local): void {
    const { code, tables, splats } = this;
    const out = code.local("v128");
    tables.forEach((table, i) => {
      if (i > 0) code.get(v).get(splats.bits(0x10101010)).op("i8x16.sub").set(v);
      code.get(table).get(v).op("i8x16.swizzle");
      if (i > 0) code.get(out).op("v128.or");
      code.set(out);
    });
    if (tables.length > 0) code.get(out).set(v);
  }
}

/**
 * Rows of adjacent k are decoded row by row, all else four places by four k; blocks with an edge are
 * staged.
 */
export function defineCodeBlocks(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): BlockPacker {
  const { block, width } = layout;
  const rows = defineCodeRows(module, operand, layout, pool);
  const stage = defineStage(module, layout);
  const columns = defineColumns(module, operand, layout, pool);
  const scales = defineCodeScales(module, operand, layout, pool);
  return (code, s) => {
    code.get(s.left).i32(block).op("i32.ge_s").get(s.deepStride).i32(1).op("i32.eq").op("i32.and");
    code.if(
      () => code.get(s.constants).get(s.from).get(s.wideStride).get(s.count).get(s.to).call(rows),
      () => {
        code.get(s.left).i32(block).op("i32.ge_s").get(s.wideStride).i32(1).op("i32.eq").op("i32.and");
        code.get(s.count).i32(width).op("i32.eq").op("i32.and");
        code.if(
          () => code.get(s.constants).get(s.from).get(s.deepStride).get(s.to).call(columns),
          () => {
            code.get(s.from).get(s.wideStride).get(s.deepStride).get(s.count).get(s.left).get(s.stage);
            code.call(stage);
            code.get(s.constants).get(s.stage).i32(stagePitch(width)).get(s.to).call(columns);
          },
        );
      },
    );
    code.get(s.constants).get(s.scale).get(s.scaleWide).get(s.count).get(s.to).i32(0).call(scales);
  };
} // prettier-ignore

const stagePitch = (width: number): number => Math.ceil(width / 4) * 4;

/**
 * Defines `scales(constants, from, wide, count, to, first)`: the scale codes of a block's places lie `wide` bytes apart;
 * gathered ones at from + (entry of the table `wide` + first) / block.
 */
export function defineCodeScales(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): Callee {
  const table = poolScales(pool, operand);
  return module.function(words(6), [], null, (code, constants, from, wide, count, to, first) => {
    const at = code.local("i32");
    code.loop(() => {
      if (operand.gathered) {
        takePlace(code, at, first, wide, true);
        code.get(to).get(at).i32(Math.log2(layout.block)).op("i32.shr_u").get(from).op("i32.add");
      } else {
        takePlace(code, at, from, wide, false);
        code.get(to).get(at);
      }
      code.memory("i32.load8_u").i32(2).op("i32.shl").get(constants).op("i32.add");
      code.memory("f32.load", table).memory("f32.store", blockBytes(layout));
      add(code, to, 4);
      code.get(count).i32(1).op("i32.sub").tee(count).brIf(0);
    });
  });
}

/** Defines `rows(constants, from, wide, count, to)`; see `takePlace`. */
export function defineCodeRows(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): Callee {
  const { block, kind, width, otherOffset } = layout;
  return module.function(words(5), [], null, (code, constants, from, wide, count, to) => {
    const decoder = new Decoder(code, pool, constants, operand, layout);
    const [v, half, sum, ones] = Array.from({ length: 4 }, () => code.local("v128"));
    const store = (vector: Local, word: number) => {
      for (let lane = 0; lane < 4; lane++)
        code.get(to).get(vector).memoryLane("v128.store32_lane", lane, (word + lane) * width * 4);
    };
    const at = code.local("i32");
    code.i32(1).op("i16x8.splat").set(ones);
    code.loop(() => {
      takePlace(code, at, from, wide, operand.gathered === true);
      code.i32(0).op("i32x4.splat").set(sum);
      for (let k = 0; k < block; k += 16) {
        code.get(at).memory("v128.load", k).set(v);
        decoder.decode(v);
        if (otherOffset > 0) addPairs(code, v, ones, sum);
        if (kind === "i8") store(v, k / 4);
        else
          for (const [i, extend] of EXTENSIONS.entries()) {
            code.get(v).op(extend).set(half);
            store(half, k / 2 + 4 * i);
          }
      }
      if (otherOffset > 0) {
        code.get(to);
        pushAllLanes(code, sum, "i32x4.add").lane("i32x4.extract_lane", 0);
        pushCorrection(code, layout).memory("i32.store", blockBytes(layout) + width * 4);
      }
      add(code, to, 4);
      code.get(count).i32(1).op("i32.sub").tee(count).brIf(0);
    });
  });
} // prettier-ignore

/** sum += the integers of v, four adjacent ones a lane */
function addPairs(code: Code, v: Local, ones: Local, sum: Local): void {
  code.get(v).op("i16x8.extadd_pairwise_i8x16_s").get(ones).op("i32x4.dot_i16x8_s");
  code.get(sum).op("i32x4.add").set(sum);
}

/**
 * Defines `stage(from, wideStride, deepStride, count, left, stage)`: [k][place] of one block, zero where
 * it ends.
 */
function defineStage(module: Module, { width, block }: PanelLayout): Callee {
  const pitch = stagePitch(width);
  return module.function(words(6), [], null, (code, from, wideStride, deepStride, count, left, stage) => {
    const [at, place, depth] = Array.from({ length: 3 }, () => code.local("i32"));
    const zero = code.local("v128");
    for (let i = 0; i < pitch * block; i += 16) code.get(stage).get(zero).memory("v128.store", i);
    pushMin(code, left, block).set(depth);
    code.loop(() => {
      code.get(from).set(at).i32(0).set(place);
      code.loop(() => {
        code.get(stage).get(place).op("i32.add").get(at).memory("i32.load8_u").memory("i32.store8");
        add(code, at, wideStride);
        add(code, place, 1);
        code.get(place).get(count).op("i32.lt_s").brIf(0);
      });
      add(code, from, deepStride);
      add(code, stage, pitch);
      code.get(depth).i32(1).op("i32.sub").tee(depth).brIf(0);
    });
  });
}

/** Of 4 k × 4 places, byte by byte: places of four k each; and two k of all places, then the other two. */
const BY_PLACE = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];
const BY_PAIR = [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15];

/** Defines `columns(constants, from, deepStride, to)`: a whole block, places adjacent. */
function defineColumns(
  module: Module,
  operand: MxFromCodes,
  layout: PanelLayout,
  pool: ConstantPool,
): Callee {
  const { block, kind, width, otherOffset } = layout;
  const groups = Math.ceil(width / 4);
  return module.function(words(4), [], null, (code, constants, from, deepStride, to) => {
    const decoder = new Decoder(code, pool, constants, operand, layout);
    const [ones] = vectorsOf(code, 1);
    const [sums, decoded] = [vectorsOf(code, groups), vectorsOf(code, groups)];
    const left = code.local("i32");
    const rows = Array.from({ length: 4 }, () => code.local("i32"));
    code.i32(1).op("i16x8.splat").set(ones).i32(block / 4).set(left);
    code.loop(() => {
      rows.forEach((row) => {
        code.get(from).set(row);
        add(code, from, deepStride);
      });
      decoded.forEach((v, g) => {
        rows.forEach((row, k) => code.get(row).get(v).memoryLane("v128.load32_lane", k, g * 4).set(v));
        code.get(v).get(v).shuffle(kind === "i8" ? BY_PLACE : BY_PAIR).set(v);
        decoder.decode(v);
        if (otherOffset > 0) addPairs(code, v, ones, sums[g]);
      });
      // Word by word: the last vector of a word may overlap the next one.
      if (kind === "i8") decoded.forEach((v, g) => code.get(to).get(v).memory("v128.store", g * 16));
      else
        for (const [word, extend] of EXTENSIONS.entries())
          decoded.forEach((v, g) =>
            code.get(to).get(v).op(extend).memory("v128.store", (word * width + g * 4) * 4),
          );
      add(code, to, kind === "i8" ? width * 4 : width * 8);
      code.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
    });
    if (otherOffset === 0) return;
    sums.forEach((sum, g) => {
      code.get(to).get(sum).i32(-otherOffset).op("i32x4.splat").op("i32x4.mul");
      if (layout.halfCorrection) code.i32(0xffff).op("i32x4.splat").op("v128.and");
      code.memory("v128.store", width * 4 + g * 16);
    });
  });
} // prettier-ignore
