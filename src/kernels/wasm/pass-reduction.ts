/** Reductions along a row: one accumulator a vector of a turn, combined at the end in a fixed order. */
import type { ReduceOp } from "../rows.ts";
import type { Local } from "./assembler.ts";
import { bitsOf } from "./constants.ts";
import type { Emitter, Lanes } from "./expression.ts";
import { pushSplat } from "./frame.ts";
import type { PlainOp } from "./opcodes.ts";
import type { Reduction } from "./pass.ts";

/** What a reduction starts from. */
export const IDENTITY: Readonly<Record<ReduceOp, number>> = { sum: 0, max: -Infinity, min: Infinity };

const COMBINE: Readonly<Record<ReduceOp, PlainOp>> = {
  sum: "f32x4.add",
  max: "f32x4.pmax",
  min: "f32x4.pmin",
};

/** The accumulators of one pass. */
export class Accumulators {
  private readonly emitter: Emitter;
  private readonly reductions: readonly Reduction[];
  private readonly vectors: readonly (readonly Local[])[];

  constructor(emitter: Emitter, reductions: readonly Reduction[], width: number) {
    this.emitter = emitter;
    this.reductions = reductions;
    this.vectors = reductions.map(() =>
      Array.from({ length: width }, () => emitter.frame.code.local("v128")),
    );
  }

  start(): void {
    const { frame } = this.emitter;
    this.reductions.forEach(({ op }, i) => {
      for (const vector of this.vectors[i]) pushSplat(frame, bitsOf(IDENTITY[op])).set(vector);
    });
  }

  /** Takes in vector `u`; lanes that do not exist count as the identity. */
  take(u: number, lanes: Lanes): void {
    const { frame } = this.emitter;
    this.reductions.forEach(({ op, value }, i) => {
      const vector = this.vectors[i][u];
      frame.code.get(vector);
      this.emitter.push(value, lanes);
      if (lanes.mask) {
        pushSplat(frame, bitsOf(IDENTITY[op])).get(lanes.mask).op("v128.bitselect");
      }
      frame.code.op(COMBINE[op]).set(vector);
    });
  }

  /** Combines vectors, then lanes, and holds each result in all four lanes. */
  finish(): void {
    this.reductions.forEach(({ op, result }, i) => {
      const { code } = this.emitter.frame;
      const all = this.vectors[i];
      for (let half = all.length >> 1; half > 0; half >>= 1)
        for (let u = 0; u < half; u++)
          code.get(all[u]).get(all[u + half]).op(COMBINE[op]).set(all[u]); // prettier-ignore
      const [first] = all;
      code.get(first).get(first).get(first).shuffle32(2, 3, 0, 1).op(COMBINE[op]).set(first);
      code.get(first).get(first).get(first).shuffle32(1, 0, 3, 2).op(COMBINE[op]);
      this.emitter.holdPushed(result);
    });
  }
}
