/** Element and column numbers of the lanes of a loop. */
import type { IndexAxis, Value } from "../program.ts";
import type { Local } from "./assembler.ts";
import { pushVector, type Frame } from "./frame.ts";
import type { Position } from "./streams.ts";

type Axis = Exclude<IndexAxis, "row">;

/** Counts along with a loop, for those axes that its values read. */
export class IndexLanes {
  private readonly frame: Frame;
  private readonly position: Position;
  private readonly counters = new Map<Axis, Local>();
  private readonly offsets: Local[] = [];

  constructor(frame: Frame, values: Iterable<Value>, position: Position) {
    this.frame = frame;
    this.position = position;
    for (const { node } of values)
      if (node.kind === "index" && node.axis !== "row") this.counters.set(node.axis, frame.code.local("i32"));
  }

  /** Sets the counters to the position, for turns of up to `width` vectors. */
  start(width: number): void {
    if (this.counters.size === 0) return;
    const { code } = this.frame;
    for (let u = 0; u < width; u++) {
      const offset = code.local("v128");
      pushVector(this.frame, [4 * u, 4 * u + 1, 4 * u + 2, 4 * u + 3]).set(offset);
      this.offsets.push(offset);
    }
    for (const [axis, counter] of this.counters) {
      const from = this.position[axis];
      if (!from) throw new RangeError(`logrung: this kernel shape has no ${axis} number here`);
      code.get(from).set(counter);
    }
  }

  /** Pushes the numbers of vector `u`: the counter in all lanes plus a constant, which V8 can widen to 256 bits. */
  push(axis: IndexAxis, u: number): void {
    const counter = axis === "row" ? undefined : this.counters.get(axis);
    if (!counter) throw new RangeError(`logrung: the ${axis} number is not counted here`);
    this.frame.code.get(counter).op("i32x4.splat").get(this.offsets[u]).op("i32x4.add");
  }

  /** Moves on by a number of elements. */
  advance(elements: number): void {
    for (const counter of this.counters.values())
      this.frame.code.get(counter).i32(elements).op("i32.add").set(counter);
  }
}
