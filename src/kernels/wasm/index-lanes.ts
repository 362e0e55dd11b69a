/** Element and column numbers of the lanes of a loop. */
import type { IndexAxis, Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import { pushSplat, pushVector, type Frame } from "./frame.ts";
import type { Position } from "./streams.ts";

type Axis = Exclude<IndexAxis, "row">;

/** Counts along with a loop, for those axes that its values read. */
export class IndexLanes {
  private readonly frame: Frame;
  private readonly position: Position;
  private readonly counters = new Map<Axis, Local>();
  private readonly steps = new Map<number, Local>();

  constructor(frame: Frame, values: Iterable<Value>, position: Position) {
    this.frame = frame;
    this.position = position;
    for (const { node } of values)
      if (node.kind === "index" && node.axis !== "row")
        this.counters.set(node.axis, frame.code.local("v128"));
  }

  /** Sets the counters to the position; the loop then advances by `width` vectors or by one. */
  start(width: number): void {
    if (this.counters.size === 0) return;
    const { code } = this.frame;
    for (let u = 1; u <= width; u++) {
      const step = code.local("v128");
      pushSplat(this.frame, 4 * u).set(step);
      this.steps.set(u, step);
    }
    for (const [axis, counter] of this.counters) {
      const from = this.position[axis];
      if (!from) throw new RangeError(`logrung: this kernel shape has no ${axis} number here`);
      code.get(from).op("i32x4.splat");
      pushVector(this.frame, [0, 1, 2, 3]).op("i32x4.add").set(counter);
    }
  }

  /** Pushes the numbers of vector `u`. */
  push(axis: IndexAxis, u: number): void {
    const counter = axis === "row" ? undefined : this.counters.get(axis);
    if (!counter) throw new RangeError(`logrung: the ${axis} number is not counted here`);
    this.frame.code.get(counter);
    if (u > 0) this.add(u);
  }

  advance(width: number): void {
    for (const counter of this.counters.values()) {
      this.frame.code.get(counter);
      this.add(width);
      this.frame.code.set(counter);
    }
  }

  private add(vectors: number): void {
    const step = this.steps.get(vectors);
    if (!step) throw new RangeError(`logrung: no step of ${vectors} vectors`);
    this.frame.code.get(step).op("i32x4.add");
  }
}
