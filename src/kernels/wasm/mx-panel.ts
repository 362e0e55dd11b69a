/** Panels of blocks: how strips of an operand lie in memory once they are packed. */
import { largestInteger } from "../mx-element.ts";
import type { MxOperand } from "../mx-gemm.ts";
import type { Code, Local } from "./assembler.ts";

/** What packed panels hold: bytes or 16-bit integers, in units of the finest step, or float32 values. */
export type PanelKind = "i8" | "i16" | "f32";

/** How one operand's panels look. */
export interface PanelLayout {
  readonly kind: PanelKind;
  /** Places of a strip: rows of A, columns of B. */
  readonly width: number;
  readonly block: number;
  /** Added to the integers, so that they fit seven bits without a sign. */
  readonly offset: number;
  /**
   * For the other operand's offset: what -Σ integers is multiplied by to make the correction; 0: none is
   * kept.
   */
  readonly otherOffset: number;
  /** Corrections of 16 bits, in the lower half of their words. */
  readonly halfCorrection: boolean;
}

/** Bytes of an element of a panel. */
export const panelElementBytes = ({ kind }: PanelLayout): number => ({ i8: 1, i16: 2, f32: 4 })[kind];

/** Bytes of a strip's integers or values of one block. */
export const blockBytes = (layout: PanelLayout): number =>
  layout.width * layout.block * panelElementBytes(layout);

/**
 * Bytes of a strip's record of one block: integers, scales, corrections; float32 values have their scales
 * in them.
 */
export const panelRecordBytes = (layout: PanelLayout): number =>
  blockBytes(layout) + layout.width * (layout.kind === "f32" ? 0 : layout.otherOffset > 0 ? 8 : 4);

/** Where a block's function finds what it packs. */
export interface BlockSource {
  readonly constants: Local;
  readonly from: Local;
  /** From place to place; of gathered codes the table of their offsets. */
  readonly wideStride: Local;
  readonly deepStride: Local;
  readonly count: Local;
  readonly left: Local;
  readonly to: Local;
  readonly scale: Local;
  readonly scaleWide: Local;
  /** Of gathered codes: the offset of the block's first k, in elements. */
  readonly first: Local;
  readonly stage: Local;
}

/**
 * Sets `at` to the first element of a place, and moves on to the next: by a stride, or, gathered, by the next entry of
 * the table at `wide`, in bytes.
 */
export function takePlace(code: Code, at: Local, from: Local, wide: Local, gathered: boolean): void {
  code.get(from);
  if (gathered) code.get(wide).memory("i32.load").op("i32.add");
  code.set(at);
  if (gathered) code.get(wide).i32(4).op("i32.add").set(wide);
  else code.get(from).get(wide).op("i32.add").set(from);
}

/** Writes a call that packs one block of a strip. */
export type BlockPacker = (code: Code, source: BlockSource) => void;

/** Bytes a packer may write past a panel: vectors of four places overlap what follows. */
export const PANEL_SLACK = 64;

/** Bytes of staging memory: a block of at most 16 places. */
export const STAGE_BYTES = 64 * 16 * 4;

/** What must be added to an operand's integers so that they are never negative. */
export const offsetOf = (operand: MxOperand): number =>
  operand.element === null ? 0 : largestInteger(operand.element);

/** So many vector variables. */
export const vectorsOf = (code: Code, count: number): readonly Local[] =>
  Array.from({ length: count }, () => code.local("v128"));

/** Turns Σ integers on the stack into the correction's word. */
export function pushCorrection(code: Code, { otherOffset, halfCorrection }: PanelLayout): Code {
  code.i32(-otherOffset).op("i32.mul");
  return halfCorrection ? code.i32(0xffff).op("i32.and") : code;
}

/** Pushes op over the four lanes of v, in every lane. */
export function pushAllLanes(code: Code, v: Local, op: "i32x4.add" | "i32x4.max_s"): Code {
  const half = code.local("v128");
  code.get(v).get(v).get(v).shuffle32(2, 3, 0, 1).op(op).set(half);
  return code.get(half).get(half).get(half).shuffle32(1, 0, 3, 2).op(op);
}
