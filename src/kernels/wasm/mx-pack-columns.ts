/**
 * Blocks of float32 whose k are not adjacent, or that have an edge: staged, then quantised four places at
 * a time.
 */
import type { MxFromFloats } from "../mx-gemm.ts";
import type { Callee, Code, Local, Module } from "./assembler.ts";
import type { ConstantPool } from "./constants.ts";
import { add, pushMin, words } from "./gemm-arguments.ts";
import { panelElementBytes, vectorsOf, type PanelLayout } from "./mx-panel.ts";
import { openQuantiser, type Quantiser, type Splats } from "./mx-quantise.ts";

/** Bytes between the k of a stage. */
export const stagePitch = (width: number): number => Math.ceil(width / 4) * 16;

/**
 * Defines `stage(from, wideStride, deepStride, count, left, stage)`: [k][place] of one block, zero where
 * it ends.
 */
export function defineStage(module: Module, { width, block }: PanelLayout): Callee {
  const pitch = stagePitch(width);
  return module.function(
    words(6),
    [],
    null,
    (code, from, wideStride, deepStride, count, left, stage) => {
      const [at, place, depth, end] = Array.from({ length: 4 }, () => code.local("i32"));
      const vectors = vectorsOf(code, pitch / 16);
      code.get(stage).i32(pitch * block).op("i32.add").set(end);
      pushMin(code, left, block).i32(pitch).op("i32.mul").get(stage).op("i32.add").set(depth);
      const eachDeep = (body: () => void) =>
        code.while(
          () => code.get(stage).get(depth).op("i32.lt_u"),
          () => {
            body();
            add(code, from, deepStride);
            add(code, stage, pitch);
          },
        );
      code.get(wideStride).i32(4).op("i32.eq").get(count).i32(width).op("i32.eq").op("i32.and");
      code.if(
        () =>
          eachDeep(() => {
            vectors.forEach((v, i) => code.get(from).memory("v128.load", i * 16).set(v));
            vectors.forEach((v, i) => code.get(stage).get(v).memory("v128.store", i * 16));
          }),
        () =>
          eachDeep(() => {
            code.get(from).set(at).i32(0).set(place);
            code.loop(() => {
              code.get(place).i32(2).op("i32.shl").get(stage).op("i32.add");
              code.get(at).memory("f32.load").memory("f32.store");
              add(code, at, wideStride);
              add(code, place, 1);
              code.get(place).get(count).op("i32.lt_s").brIf(0);
            });
          }),
      );
      fillZeros(code, stage, end, pitch);
    },
  );
} // prettier-ignore

/** Zeros from `at` up to `end`, `pitch` bytes a turn. */
export function fillZeros(code: Code, at: Local, end: Local, pitch: number): void {
  const zero = code.local("v128");
  code.while(
    () => code.get(at).get(end).op("i32.lt_u"),
    () => {
      for (let i = 0; i < pitch; i += 16) code.get(at).get(zero).memory("v128.store", i);
      add(code, at, pitch);
    },
  );
}

/** Defines `columns(constants, stage, to)`: a staged block, four places at a time. */
export function defineColumns(
  module: Module,
  operand: MxFromFloats,
  layout: PanelLayout,
  pool: ConstantPool,
): Callee {
  const { width, block, kind, otherOffset } = layout;
  const groups = Math.ceil(width / 4);
  const pitch = stagePitch(width);
  const wordsDeep = 4 / panelElementBytes(layout);
  return module.function(words(3), [], null, (code, constants, stage, to) => {
    const { quantiser, splats } = openQuantiser(code, constants, operand, layout, pool);
    const [inverse, factor, sums, out] = Array.from({ length: 4 }, () => vectorsOf(code, groups));
    if (quantiser) columnScales(code, quantiser, stage, pitch, block, inverse, factor);
    const end = code.local("i32");
    code.get(stage).i32(pitch * block).op("i32.add").set(end);
    code.loop(() => {
      for (let g = 0; g < groups; g++) {
        const load = (k: number) => code.get(stage).memory("v128.load", k * pitch + g * 16);
        if (!quantiser || kind === "f32") {
          load(0);
          quantiser?.values(inverse[g], factor[g]);
          code.set(out[g]);
        } else packWord(code, quantiser, splats, load, inverse[g], kind, out[g], otherOffset > 0 ? sums[g] : null);
      }
      out.forEach((v, g) => code.get(to).get(v).memory("v128.store", g * 16));
      add(code, to, width * 4);
      add(code, stage, pitch * wordsDeep);
      code.get(stage).get(end).op("i32.lt_u").brIf(0);
    });
    if (!quantiser || kind === "f32") return;
    factor.forEach((v, g) => code.get(to).get(v).memory("v128.store", g * 16));
    if (otherOffset > 0) sums.forEach((sum, g) => storeCorrections(code, quantiser, layout, sum, to, g));
  });
} // prettier-ignore

/** Scales of every four places, from a pass over the stage. */
function columnScales(
  code: Code,
  quantiser: Quantiser,
  stage: Local,
  pitch: number,
  block: number,
  inverse: readonly Local[],
  factor: readonly Local[],
): void {
  const largest = vectorsOf(code, inverse.length);
  const [at, left] = [code.local("i32"), code.local("i32")];
  code.get(stage).set(at).i32(block).set(left);
  code.loop(() => {
    largest.forEach((most, g) => {
      code.get(at).memory("v128.load", g * 16);
      quantiser.widen(most);
    });
    add(code, at, pitch);
    code.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
  });
  largest.forEach((most, g) => quantiser.scales(most, inverse[g], factor[g]));
}

/** A word of four places: the low bytes (halves) of four (two) k. */
function packWord(
  code: Code,
  quantiser: Quantiser,
  splats: Splats,
  load: (k: number) => void,
  inverse: Local,
  kind: "i8" | "i16",
  out: Local,
  sum: Local | null,
): void {
  const [count, bits, mask] = kind === "i8" ? [4, 8, splats.bits(0xff)] : [2, 16, splats.bits(0xffff)];
  const parts = vectorsOf(code, count);
  parts.forEach((part, k) => {
    load(k);
    quantiser.integers(inverse);
    code.set(part);
    if (sum) code.get(sum).get(part).op("i32x4.add").set(sum);
  });
  parts.forEach((part, k) => {
    code.get(part);
    if (k < count - 1) code.get(mask).op("v128.and");
    if (k > 0) code.i32(k * bits).op("i32x4.shl").op("v128.or");
  });
  code.set(out);
} // prettier-ignore

/** Corrections of four places; their sums also hold the base of every integer, which is taken off again. */
function storeCorrections(
  code: Code,
  quantiser: Quantiser,
  layout: PanelLayout,
  sum: Local,
  to: Local,
  group: number,
): void {
  const { width, block, otherOffset, halfCorrection } = layout;
  code.get(to).get(sum);
  code.i32(Math.imul(quantiser.base, block)).op("i32x4.splat").op("i32x4.sub");
  code.i32(-otherOffset).op("i32x4.splat").op("i32x4.mul");
  if (halfCorrection) code.i32(0xffff).op("i32x4.splat").op("v128.and");
  code.memory("v128.store", width * 4 + group * 16);
}
